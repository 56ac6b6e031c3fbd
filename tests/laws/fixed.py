"""Histories that are lived every time, on which the mutants must fail too."""

from __future__ import annotations

from .strategies import History
from .world import APP, DOTS, LIB, Doc

RICH: Doc = {
    "image": "debian:13",
    "mount_cwd": False,
    "env": {"A": "1", "B": "two words", "C": {"from_env": "DEPLOY_KEY"}},
    "config_files": {
        "/etc/app.conf": {"content": "one\n", "mode": "0600"},
        "/etc/motd": "ours\n",
        "/data/seed.txt": "seed\n",
        "/workspace/app/local.ini": "x=1\n",
    },
    "repos": [
        {"url": APP, "path": "app", "ref": "dev", "install": "touch .installed"},
        {"url": LIB, "path": "lib", "ref": "v1"},
    ],
    "dotfiles": {"repo": DOTS, "inline": {".inputrc": "set x\n"}},
    "forward_ssh": True,
    "setup_commands": [
        {"run": "write /opt/cfg one", "as_root": True, "creates": "/opt/cfg"},
        "touch made",
        "touch made",
    ],
    "health": {"command": "true"},
    "volumes": ["data:/data"],
    "networks": ["shared"],
    "ports": ["8080:80", 8000],
    "memory": "2g",
}
"""A bit of everything."""

OTHER: Doc = {
    **{key: value for key, value in RICH.items() if key not in ("memory", "networks")},
    "env": {"A": "2"},
    "config_files": {"/etc/app.conf": {"content": "two\n", "mode": "0644"}, "/data/seed.txt": "seed\n"},
    "dotfiles": {"repo": DOTS, "branch": "old", "inline": {".bashrc": "mine\n"}},
    "setup_commands": ["touch made", {"run": "touch /opt/tool", "as_root": True}],
    "networks": ["backend"],
    "memory": "none",
    "add_hosts": {"db": "10.0.0.5"},
}
"""What a user makes of it; it takes a new container, which wants the same port."""

BUILT: Doc = {"purpose": "python", "image_source": "bootstrap", "config_files": {"/etc/app.conf": "one\n"}}
"""An environment whose image is built."""

IN_PLACE: Doc = {
    **RICH,
    "memory": "512m",
    "cpus": "1.5",
    "networks": ["backend"],
    "env": {"A": "3"},
    "dotfiles": {"inline": {".inputrc": "set y\n"}},
    "setup_commands": ["touch other"],
}
"""What can be done to the rich one without a new container."""

SERVED: Doc = {
    "image": "debian:13",
    "compose": {
        "services": {
            "web": {"image": "debian:13", "scale": 3, "networks": {"back": None}},
            "db": {"image": "debian:13", "secrets": [{"source": "key", "target": "/run/secrets/key"}]},
        },
        "networks": {"back": {"internal": True}},
        "secrets": {"key": {"environment": "DEPLOY_KEY"}},
    },
}
"""Services beside the workspace, with what Compose itself would keep in a layer."""

FEWER: Doc = {
    **SERVED,
    "compose": {
        "services": {"web": {"image": "debian:13", "networks": {"back": None}}, "db": {"image": "debian:13"}},
        "networks": {"back": None},
    },
}
"""The same with less of everything."""

VOLUME: Doc = {"image": "debian:13", "mount_cwd": False}
"""A workspace in a volume, which outlives the container and its user."""

REPLACES = (
    History((RICH, OTHER)),
    History(({"image": "debian:13"}, {"image": "node:22", "networks": ["shared"], "config_files": {"/etc/a": "a"}})),
)

HISTORIES = (
    *REPLACES,
    History((RICH, {**RICH, "memory": "none"})),
    History((RICH, IN_PLACE)),
    History((BUILT, {**BUILT, "config_files": {}, "env": {"A": "1"}})),
    History((OTHER, RICH), seed=3),
    History((SERVED, FEWER)),
)

FOUND = (
    History(({**VOLUME, "user": "1000:1000"}, {**VOLUME, "user": "root"})),
    History(({**VOLUME, "user": "root"}, {**VOLUME, "user": "1001"})),
)
"""Histories that once broke a law, or are like one that did."""

_HELD = {**VOLUME, "repos": [{"url": APP, "path": "app"}], "config_files": {"/workspace/deep/er/conf": "a"}}

BACK = (
    History(({**_HELD, "user": "1001:1001"}, {**_HELD, "user": "1002:1002"})),
    History((RICH, OTHER)),
)
"""Histories whose last step is cut off and taken back."""
