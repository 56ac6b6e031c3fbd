# reap [TOKEN [GRACE]]: end what cut-off operations left running (that of one token, or all whose window has no end),
# and close their windows. What bears a token and is only about to start finds it among the ended, and does not.

# close_window DIR: of an operation that died with the container the window ends where the container's life began
close_window() {
  [ -d "$1" ] && [ ! -e "$1/end" ] || return 0
  if [ "$ended" = "$before" ]; then
    IFS= read -r line < /proc/1/stat
    # shellcheck disable=SC2086 # its fields
    started=$(start_of ${line##*) })
    if [ "$(stat -c %Y "$1/start")" -lt "$started" ]; then
      touch -d "@$started" "$1/end"
      return
    fi
  fi
  : > "$1/end"
}
start_of() {
  shift 19
  ticks=$(getconf CLK_TCK 2> /dev/null || echo 100)
  boot=$(sed -n 's/^btime //p' /proc/stat)
  echo $((boot + $1 / ticks + 1))
}

ended=0 left='' remaining=''
if [ -n "${1-}" ] && mkdir -p "$RUN/ended"; then : > "$RUN/ended/$1"; fi
for dir in "$STATE"/windows/${1:-*}; do
  token=${dir##*/}
  if [ -n "${1-}" ] || { [ -e "$dir/start" ] && [ ! -e "$dir/end" ]; }; then
    before=$ended
    end_tree "$token" "${2:-0}"
    remaining="$remaining $left"
    close_window "$dir"
  fi
done
printf '%s\n' "$ended"
# shellcheck disable=SC2086 # a list of PIDs
set -- $remaining
[ $# = 0 ] || fail 1 "could not be ended: $*"
