# give_over FORMER UID GID < LINES: "T - PATH" is a directory to give, "A - PATH" one with all below it on its own mount,
# "F NAME PATH" a file by its name in the ledger, above which what we made is given. Only what is FORMER's is.
former=$1 uid=$2 gid=$3
begin

# What changes while it is given: GNU's tools look at what they have hold of.
from='' each=-exec
! chown --from=0 0 / 2> /dev/null || from=--from=$former
! find / -maxdepth 0 -execdir true {} + 2> /dev/null || each=-execdir

# give PATH: a directory alone
give() {
  enter "$1" && [ -z "$foreign" ] && [ "$(stat -c %u .)" = "$former" ] || return 0
  chown "$uid:$gid" . || fail 1 "cannot give $1 to uid $uid"
}

# mounts_below PATH: what is mounted below a directory, as patterns that find takes for -path; a blank comes as \040
mounts_below() {
  while IFS=' ' read -r _ _ _ _ at _; do
    at=$(printf '%b' "$at")
    case $at in
      "$1"/*) printf '%s\n' "$at" | sed 's/[][*?\\]/\\&/g' ;;
    esac
  done < /proc/self/mountinfo
}

# give_all PATH
give_all() (
  enter "$1" && [ -z "$foreign" ] || exit 0
  IFS='
'
  set -f
  top=$1
  set -- -path ''
  for at in $(mounts_below "$top"); do set -- "$@" -o -path ".${at#"$top"}"; done
  # shellcheck disable=SC2086 # no option where there is none
  find . \( "$@" \) -prune -o -user "$former" "$each" chown ${from:+"$from"} -h "$uid:$gid" {} +
)

# give_above NAME PATH: the directories that were made above a file, of which the original kept for it tells the topmost
give_above() {
  top=$(cat "$STATE/originals/$1.absent" 2> /dev/null)
  above=$2
  while [ -n "$top" ] && above=${above%/*} && [ -n "$above" ]; do
    case $above in
      "$top" | "$top"/*) give "$above" ;;
      *) return 0 ;;
    esac
  done
}

while read -r letter name path; do
  case $letter in
    T) give "$path" ;;
    A) give_all "$path" || fail 1 "cannot give $path to uid $uid" ;;
    F) give_above "$name" "$path" ;;
  esac
done
