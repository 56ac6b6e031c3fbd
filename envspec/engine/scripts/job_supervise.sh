# job_supervise DIR TOKEN UID GID WORKDIR LIMIT: run a job to its end and write down how it ended; in a session of its
# own, and not among those that bear the job's token.
dir=$1 token=$2 uid=$3 gid=$4 workdir=$5 limit=$6
supervised "$dir"
as_input=$dir/stdin
[ -e "$as_input" ] || as_input=/dev/null
# shellcheck source=/dev/null # sets the words
. "$dir/command"

# become the user in a session of the job's own, and only there bear its token: who asks for the job's end must not
# find the supervisor. Every step becomes the next, so that how the command ends is what this shell sees.
# shellcheck disable=SC2016 # expanded by the user's shell
become='exec 2>&1
cd -- "$1" || exit 1
ENVSPEC_STEP=$2
export ENVSPEC_STEP
shift 2
exec setsid /bin/sh -c "$@"'

# watch: end the job when its time is up
watch() {
  trap 'kill "$nap" 2> /dev/null; exit 0' TERM
  sleep "$limit" &
  nap=$!
  wait "$nap"
  : > "$dir/timed_out"
  end_tree "$token" 2
}

watcher='' killed_before=$(oom_kills)
if [ "$limit" != 0 ]; then
  watch &
  watcher=$!
fi
code=0
# A shell tells on its own standard error when a signal ended its command, which the exit code alone cannot tell.
{
  as_user "$uid" "$gid" "$become" "$workdir" "$token" "$(cat "$dir/enter")" envspec 0 "$@" >> "$dir/output" || code=$?
} 2> "$dir/notice"

state=exited reason=''
if [ -e "$dir/timed_out" ]; then
  state=timed_out
elif [ -e "$dir/cancel" ]; then
  state=cancelled
elif [ "$code" -gt 128 ] && [ -s "$dir/notice" ]; then
  reason="ended by signal $((code - 128))"
  case $code in
    137) if [ "$(oom_kills)" = "$killed_before" ]; then state=lost; else reason="$reason, for lack of memory"; fi ;;
    129 | 143) state=lost ;;
  esac
  [ "$state" != lost ] || reason="$reason, which envspec did not send"
else
  cat "$dir/notice" >> "$dir/output"
fi
if [ -n "$watcher" ]; then
  [ "$state" = timed_out ] || kill "$watcher" 2> /dev/null
  wait "$watcher"
fi
printf '%s %s %s %s\n' "$state" "$code" "$(date +%s)" "$reason" > "$dir/.ended" && mv -f "$dir/.ended" "$dir/ended"
