"""Limits that a hand can set on a container: what is compared, and what is left where the host does not honour it."""

from __future__ import annotations

from typing import Any

import pytest

from envspec.compose.project import _limits
from envspec.engine.objects import UNCOUNTED, UNLIMITED, Limits
from envspec.kinds.limits import differs, told, update_of

MIB = 1 << 20


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"mem_limit": "128"}, {"memory": 128, "swap": 128}),
        ({"mem_limit": "128", "memswap_limit": "128"}, {"swap": None}),
        ({"mem_limit": "128", "memswap_limit": "200"}, {"swap": 72}),
        ({"mem_limit": "128", "memswap_limit": "-1"}, {"swap": UNLIMITED}),
        ({}, {"swap": None, "cpu_shares": None, "cpuset_cpus": None, "memory_reservation": None, "retries": None}),
        ({"cpu_shares": 512, "cpuset": "0,1"}, {"cpu_shares": 512, "cpuset_cpus": "0,1"}),
        ({"mem_reservation": "32"}, {"memory_reservation": 32}),
        ({"cpus": 0.5}, {"cpus": 0.5, "cpu_period": None, "cpu_rt_runtime": None}),
        ({"cpu_quota": "25000", "cpu_period": "50000"}, {"cpus": 0.5, "cpu_period": None}),
        ({"cpu_quota": 25000}, {"cpus": 0.25}),
        ({"cpu_period": "50000"}, {"cpus": None, "cpu_period": 50000}),
        ({"deploy": {"resources": {"reservations": {"memory": "32"}}}}, {"memory_reservation": 32}),
        ({"restart": "on-failure:3"}, {"restart": "on-failure", "retries": 3}),
        ({"restart": "on-failure:0"}, {"restart": "on-failure", "retries": None}),
        (
            {"restart": "always", "deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 4}}},
            {"restart": "on-failure", "retries": 4},
        ),
    ],
)
def test_what_compose_makes_of_a_document_is_what_the_container_is_compared_with(
    service: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = _limits(service)
    assert {name: found[name] for name in expected} == expected


def test_a_limit_that_a_document_writes_in_two_ways_is_not_compared() -> None:
    found = _limits({"cpus": 0.5, "cpu_quota": 25000, "cpu_rt_runtime": 95000})
    assert {"cpus", "cpu_period", "cpu_rt_runtime"}.isdisjoint(found)


def test_a_host_that_does_not_count_swap_has_no_drift_of_it() -> None:
    assert not differs("swap", UNCOUNTED, None)
    assert not differs("swap", UNCOUNTED, MIB)
    assert differs("swap", UNLIMITED, None)


@pytest.mark.parametrize("name", ["blkio_weight", "cpu_shares", "cpuset_cpus", "memory_reservation"])
def test_a_limit_that_the_kernel_discards_is_not_asked_for_again_at_every_apply(name: str) -> None:
    assert not differs(name, None, 300)
    assert differs(name, 300, None)


def test_swap_is_set_with_the_memory_that_it_comes_on_top_of() -> None:
    wanted = {"memory": 2 * MIB, "swap": MIB, "restart": "on-failure", "retries": 3, "pids": None}
    assert update_of(wanted, {"swap"}).memory_swap == 3 * MIB
    assert update_of(wanted, {"retries"}) == Limits(restart="on-failure:3")
    assert update_of(wanted, {"pids", "status"}) == Limits(pids=-1)
    assert Limits(swap=UNLIMITED).memory_swap == UNLIMITED
    assert told("swap", UNLIMITED) == "unlimited"
