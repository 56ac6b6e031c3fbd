# Finding and ending all that one token started: whoever has it in the environment, whoever has the limit that enter.sh
# sets (it stays where the environment was emptied), their descendants, and whoever shares a session with one of them.
# Comes after the prelude. Another user's environment can only be read as that user, so the search runs once per uid.

# holders TOKEN: PIDs of processes that bear a token
# shellcheck disable=SC2016 # expanded by the user's shell
search='for dir in /proc/[0-9]*; do
  tr "\\0" "\\n" < "$dir/environ" | grep -qxF "$1" && printf "%s\n" "${dir#/proc/}"
done 2> /dev/null
exit 0'
holders() {
  for uid in $(stat -c %u /proc/[0-9]* 2> /dev/null | sort -u); do
    as_user "$uid" "$uid" "$search" "ENVSPEC_STEP=$1"
  done
  grep -l "^Max file locks  *$((0x${1%?})) " /proc/[0-9]*/limits 2> /dev/null | cut -d / -f 3
}

# family PID...: the processes themselves, their descendants, and whoever shares a session with one of them, but for
# this very session and for those that have ended and only wait for their parent to take note
family() {
  for dir in /proc/[0-9]*; do
    IFS= read -r line < "$dir/stat" || continue
    # shellcheck disable=SC2086 # the fields after the command's name: state, parent, group, session
    set_fields ${line##*) } && printf '%s %s %s %s\n' "${dir#/proc/}" "$parent" "$session" "$state"
  done 2> /dev/null | awk -v seeds="$*" -v self="$own_session" '
    { pid[NR] = $1; parent[NR] = $2; session[NR] = $3; state[NR] = $4 }
    END {
      n = split(seeds, seed, " ")
      for (i = 1; i <= n; i++) found[seed[i]] = 1
      do {
        grown = 0
        for (i = 1; i <= NR; i++) if (session[i] != self && pid[i] in found && session[i] > 1) sessions[session[i]] = 1
        for (i = 1; i <= NR; i++)
          if (!(pid[i] in found) && ((parent[i] in found) || (session[i] in sessions))) { found[pid[i]] = 1; grown = 1 }
      } while (grown)
      for (i = 1; i <= NR; i++)
        if (pid[i] in found && session[i] != self && pid[i] != 1 && state[i] != "Z") print pid[i]
    }'
}
set_fields() {
  state=$1 parent=$2 session=$4
}

IFS= read -r line < /proc/$$/stat
# shellcheck disable=SC2086 # its fields
set_fields ${line##*) }
own_session=$session

# signal_to NAME PID: as its owner, where root may not
signal_to() {
  owner=$(stat -c %u "/proc/$2" 2> /dev/null) || return 0
  kill "-$1" "$2" 2> /dev/null || as_user "$owner" "$owner" "kill -$1 $2" 2> /dev/null || :
}

# halt PID...: let none of several that are to be killed go on for having seen another one end
halt() {
  kill -STOP "$@" 2> /dev/null || for pid; do signal_to STOP "$pid"; done
}

# hundredths: of seconds, by a clock that nobody sets
hundredths() {
  read -r up _ < /proc/uptime
  printf '%s\n' "${up%.*}${up#*.}"
}

# end_tree TOKEN [GRACE]: ask all of a token to end, and kill what is left after GRACE seconds, or at once; adds to
# ended, and sets left to what could not be ended
end_tree() {
  patience=$(($(hundredths) + ${2:-0} * 100)) kills=0 seen=' '
  while :; do
    # shellcheck disable=SC2046 # a list of PIDs
    left=$(family $(holders "$1"))
    [ -n "$left" ] && [ "$kills" -lt 20 ] || return 0
    signal=TERM
    if [ "$(hundredths)" -ge "$patience" ]; then signal=KILL kills=$((kills + 1)); fi
    # shellcheck disable=SC2086 # a list of PIDs
    [ "$signal" = TERM ] || halt $left
    for pid in $left; do
      case $seen in
        *" $pid "*) [ "$signal" = TERM ] || signal_to KILL "$pid" ;;
        *)
          seen="$seen$pid " ended=$((ended + 1))
          signal_to "$signal" "$pid"
          ;;
      esac
    done
    [ "$signal" = KILL ] || sleep 0.1
  done
}
