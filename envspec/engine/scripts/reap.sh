# reap [TOKEN]: end what cut-off operations left running (that of one token, or all whose window has no end), and
# close their windows. Another user's environment can only be read as that user, so the search runs once per uid.

# holders MARK: PIDs of processes that have the mark in their environment
# shellcheck disable=SC2016 # expanded by the user's shell
search='for dir in /proc/[0-9]*; do
  tr "\\0" "\\n" < "$dir/environ" | grep -qxF "$1" && printf "%s\n" "${dir#/proc/}"
done 2> /dev/null
exit 0'
holders() {
  for uid in $(stat -c %u /proc/[0-9]* 2> /dev/null | sort -u); do
    as_user "$uid" "$uid" "$search" "$1"
  done
}

# family PID...: the processes themselves, their descendants, and whoever shares a session with one of them
family() {
  for dir in /proc/[0-9]*; do
    IFS= read -r line < "$dir/stat" || continue
    # shellcheck disable=SC2086 # the fields after the command's name: state, parent, group, session
    set_fields ${line##*) } && printf '%s %s %s\n' "${dir#/proc/}" "$parent" "$session"
  done 2> /dev/null | awk -v seeds="$*" -v self="$own_session" '
    { pid[NR] = $1; parent[NR] = $2; session[NR] = $3 }
    END {
      n = split(seeds, seed, " ")
      for (i = 1; i <= n; i++) found[seed[i]] = 1
      do {
        grown = 0
        for (i = 1; i <= NR; i++) if (session[i] != self && pid[i] in found && session[i] > 1) sessions[session[i]] = 1
        for (i = 1; i <= NR; i++)
          if (!(pid[i] in found) && ((parent[i] in found) || (session[i] in sessions))) { found[pid[i]] = 1; grown = 1 }
      } while (grown)
      for (i = 1; i <= NR; i++) if (pid[i] in found && session[i] != self && pid[i] != 1) print pid[i]
    }'
}
set_fields() {
  parent=$2 session=$4
}

IFS= read -r line < /proc/$$/stat
# shellcheck disable=SC2086 # its fields
set_fields ${line##*) }
own_session=$session

# kill_all TOKEN: freeze and kill until nothing is left; adds to ended
kill_all() {
  rounds=0
  while [ "$rounds" -lt 20 ]; do
    seeds=$(holders "ENVSPEC_STEP=$1")
    # shellcheck disable=SC2086 # a list of PIDs
    pids=$(family $seeds)
    [ -n "$pids" ] || return 0
    for pid in $pids; do
      owner=$(stat -c %u "/proc/$pid" 2> /dev/null) || continue
      kill -KILL "$pid" 2> /dev/null || as_user "$owner" "$owner" "kill -KILL $pid" 2> /dev/null || continue
      ended=$((ended + 1))
    done
    rounds=$((rounds + 1))
  done
}

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

ended=0
for dir in "$STATE"/windows/${1:-*}; do
  token=${dir##*/}
  if [ -n "${1-}" ] || { [ -e "$dir/start" ] && [ ! -e "$dir/end" ]; }; then
    before=$ended
    kill_all "$token"
    close_window "$dir"
  fi
done
printf '%s\n' "$ended"
