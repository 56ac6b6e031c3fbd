"""What the engines' `stats` say, read alike."""

from __future__ import annotations

import pytest

from envspec.engine.usage import Usage, read

DOCKER = (
    '{"BlockIO":"0B / 0B","CPUPerc":"12.50%","Container":"a","ID":"af30fe1be7eb","MemPerc":"0.00%",'
    '"MemUsage":"1.5MiB / 2GiB","Name":"shop-db-1","NetIO":"796B / 0B","PIDs":"2"}'
)
PODMAN = (
    '[{"id":"6740bca242df","name":"shop-workspace","cpu_time":"613ms","cpu_percent":"0.78%","avg_cpu":"0.78%",'
    '"mem_usage":"933.9kB / 4.295GB","mem_percent":"0.02%","net_io":"0B / 0B","block_io":"0B / 0B","pids":"3"}]'
)
GONE = '{"CPUPerc":"--","ID":"af30fe1be7eb","MemUsage":"-- / --","PIDs":"--"}'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (DOCKER, [Usage("af30fe1be7eb", 12.5, 1572864, 2147483648, 2)]),
        (f"{DOCKER}\n{DOCKER}", [Usage("af30fe1be7eb", 12.5, 1572864, 2147483648, 2)] * 2),
        (PODMAN, [Usage("6740bca242df", 0.78, 933900, 4295000000, 3)]),
        (GONE, [Usage("af30fe1be7eb", 0.0, 0, 0, 0)]),
        ("", []),
    ],
)
def test_both_engines_are_read_alike(text: str, found: list[Usage]) -> None:
    assert list(read(text)) == found
