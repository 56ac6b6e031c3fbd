# baseline: count every file that is there now as made in a window.
begin
: > "$STATE/windows/rootfs/end"
mkdir -p "$STATE/windows/initial"
: > "$STATE/windows/initial/end"
