# job_cancel ID GRACE: end all that a job started, describe it, and print how many were ended and "PID COMMAND" of each
# that could not be.
find_job "$1"
state_of "$dir"
[ "$job_state" != running ] || : > "$dir/cancel"
# Whoever is only about to start finds this, and does not.
mkdir -p "$RUN/ended" && : > "$RUN/ended/$token"
ended=0
end_tree "$token" "$2"
tries=0
while state_of "$dir" && [ "$job_state" = running ] && [ -z "$left" ] && [ "$tries" -lt 100 ]; do
  sleep 0.05
  tries=$((tries + 1))
done
describe "$dir"
printf '%s\n' "$ended"
for pid in $left; do
  printf '%s %s\n' "$pid" "$(tr '\0\n' '  ' 2> /dev/null < "/proc/$pid/cmdline")"
done
