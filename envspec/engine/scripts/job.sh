# What the scripts of jobs share; comes after the prelude and tree.sh. A job is a directory, named by the token that all
# its processes bear, and complete before a link by the job's ID leads there. Only root writes there, so that what it
# says of the job is not the job's own word: "meta" (JSON of who started it), "command" (shell text that sets its
# words), "stdin", "output", "supervisor" (PID, start time and boot of who waits for it), "ended" (how it did).
JOBS=$STATE/jobs

# birth PID: when a process started, in ticks since boot; with the boot's ID it tells it from a later one of its PID
birth() {
  IFS= read -r line 2> /dev/null < "/proc/$1/stat" || return 1
  # shellcheck disable=SC2086 # its fields
  set -- ${line##*) }
  shift 19
  printf '%s\n' "$1"
}
boot_id() {
  cat /proc/sys/kernel/random/boot_id
}

# supervised DIR: this process is the one to look for from now on
supervised() {
  printf '%s %s %s\n' $$ "$(birth $$)" "$(boot_id)" > "$1/.supervisor" && mv -f "$1/.supervisor" "$1/supervisor"
}

# find_job ID: set dir and token
find_job() {
  token=$(readlink "$JOBS/$1") || fail 3 "there is no job $1"
  dir=$JOBS/$token token=${token#.}
}

# state_of DIR: set job_state, job_code, job_end and job_reason
state_of() {
  [ -e "$1/ended" ] || lost_or_running "$1" || return 0
  read -r job_state job_code job_end job_reason < "$1/ended"
}
# lost_or_running DIR: fail when it is one of the two; its end may have been written since one looked
lost_or_running() {
  read -r s_pid s_birth s_boot < "$1/supervisor"
  job_state=running job_code=- job_end=- job_reason=''
  if [ "$(birth "$s_pid")" = "$s_birth" ] && [ "$(boot_id)" = "$s_boot" ]; then return 1; fi
  if [ -e "$1/ended" ]; then return 0; fi
  job_state=lost job_reason='what waited for it was killed'
  if [ "$(boot_id)" != "$s_boot" ] || [ "$(birth 1)" -gt "$s_birth" ]; then job_reason='the container was restarted'; fi
  return 1
}

# describe DIR: a line of JSON, and a line of state, code, start, end, bytes of output, and a reason
describe() {
  state_of "$1"
  cat "$1/meta"
  set -- "$1" "$(stat -c %Y "$1/command")" "$(stat -c %s "$1/output" 2> /dev/null || echo 0)"
  printf '%s %s %s %s %s %s\n' "$job_state" "$job_code" "$2" "$job_end" "$3" "$job_reason"
}
