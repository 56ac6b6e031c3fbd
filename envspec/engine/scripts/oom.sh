# oom_kills: how often the kernel has killed something of this container for lack of memory, as cgroup v2 or v1 tells
oom_kills() {
  sed -n 's/^oom_kill //p' /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2> /dev/null | head -n 1
}
