# mark TOKEN [ROOT]...: remember this moment, so that it can be told later what was changed since; and print "hole SIZE
# PATH" for each large file below the roots of which less than half is on disk.
begin
mkdir -p "$STATE/marks" && : > "$STATE/marks/$1" || fail 1 "cannot write to $STATE"
shift
[ $# -eq 0 ] || find "$@" -xdev -type f -size +131072 -exec stat -c '%b %s %n' {} + 2> /dev/null |
  while read -r blocks size path; do
    [ $((blocks * 1024)) -ge "$size" ] || printf 'hole %s %s\n' "$size" "$path"
  done
