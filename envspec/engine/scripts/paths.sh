# Directories in which root works although others may write above them; comes after the prelude. Root goes into one, is
# sure of where that is, and then names things relative to it: whoever swaps what lies above cannot lead us elsewhere.
# What is new is made in a directory that only root can enter, and renamed out of there, which follows no link.

# enter DIR: go into a directory; 1 where it is none. Its path holds no link then but those that root made where nobody
# else can; else foreign is set to who can, to - where that is not one user, and for_owner must be asked.
enter() {
  foreign=''
  if cd -P -- "${1:-/}" 2> /dev/null && [ "$PWD" = "${1:-/}" ]; then return 0; fi
  rest=$1 hops=0
  cd / || return 1
  while [ -n "$rest" ]; do
    rest=${rest#/} part=${rest%%/*}
    case $rest in
      */*) rest=/${rest#*/} ;;
      *) rest='' ;;
    esac
    case $part in
      '' | .) ;;
      ..) cd -P .. || return 1 ;;
      *) if [ -L "./$part" ]; then follow "$part" || return 1; else step "$part" || return 1; fi ;;
    esac
  done
}
# step NAME: go into a directory that is no link
step() {
  was=${PWD%/}
  cd -P -- "./$1" 2> /dev/null && [ "$PWD" = "$was/$1" ]
}
# follows: note who can make or change a link that is followed here
follows() {
  whose=$(stat -c '%u %a' .) || whose='- 0'
  [ $((0${whose#* } & 022)) = 0 ] || whose=-
  case ${whose% *} in
    0 | "$foreign") ;;
    *) if [ -z "$foreign" ]; then foreign=${whose% *}; else foreign=-; fi ;;
  esac
}
# follow NAME: put what a link holds before the rest of the way
follow() {
  hops=$((hops + 1))
  [ "$hops" -lt 40 ] && leads=$(readlink "./$1") || return 1
  follows
  case $leads in
    /*) cd / || return 1 ;;
  esac
  rest=/$leads$rest
}

# for_owner UID: whether what we do here is for somebody who could do it without us
for_owner() {
  [ -z "$foreign" ] || { [ "$1" != 0 ] && [ "$(stat -c %u .)" = "$1" ]; }
}

# enter_parents PATH UID GID WORKSPACE: go into the directory that a path is in. What is missing of it is made, the
# user's own below home and workspace; sets made to the topmost directory that was made, or ''
enter_parents() {
  made='' above=${1%/*} missing=''
  while [ -n "$above" ] && [ ! -d "$above" ]; do
    missing=/${above##*/}$missing
    made=$above
    above=${above%/*}
  done
  if ! enter "$above" || ! for_owner "$2"; then
    fail 1 "refusing to write to $1: a link that is not root's leads from ${above:-/} to $(pwd -P), or it is not a directory"
  fi
  [ -n "$missing" ] || return 0
  account "$2"
  while [ -n "$missing" ]; do
    missing=${missing#/} part=${missing%%/*}
    case $missing in
      */*) missing=/${missing#*/} ;;
      *) missing='' ;;
    esac
    above=$above/$part
    mkdir -- "./$part" && step "$part" && [ -O . ] || fail 1 "cannot make the directory $above"
    case $above in
      "$user_home" | "$user_home"/* | "$4"/*) chown "$2:$3" . || fail 1 "cannot give $above to uid $2" ;;
    esac
  done
}

# nest NAME [MODE]: go into a new directory here, which is root's alone; one that was left over goes first
nest() {
  if [ -e "./$1" ] || [ -L "./$1" ]; then rm -rf -- "./$1"; fi
  mkdir -m "${2:-700}" -- "./$1" && step "$1" && [ -O . ]
}
# leave NAME: go back out of it, and remove it
leave() {
  cd -P .. && rm -rf -- "./$1"
}
