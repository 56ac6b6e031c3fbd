# What comes before a command that sees the image's variables and the environment's; root reads only what is root's.
if [ -n "${ENVSPEC_IMAGE-}" ]; then
  ENVSPEC_SELF=${HOME-/}
  eval "$ENVSPEC_IMAGE"
  export HOME="$ENVSPEC_SELF" USER="$ENVSPEC_USER" LOGNAME="$ENVSPEC_USER"
  unset ENVSPEC_IMAGE ENVSPEC_USER ENVSPEC_SELF
fi
# shellcheck disable=SC1091,SC3067 # it lies in the container; every shell that is a /bin/sh has -O
if [ -r /run/envspec/env ] && { [ -O /run/envspec/env ] || [ ! -O /run/envspec ]; }; then . /run/envspec/env; fi

# root_path: print PATH without what anybody but root could change: a directory, or one above it
root_path() (
  IFS=: kept='' asked=/
  set -f
  for dir in $PATH; do
    # What is a link is named by where it leads, and what is not there yet by itself.
    case $dir in
      /bin | /sbin) ;;
      /*) ! cd -P -- "$dir" 2> /dev/null || dir=$PWD ;;
      *) continue ;;
    esac
    kept=$kept:$dir above=$dir
    while [ -n "$above" ]; do
      asked=$asked:$above
      above=${above%/*}
    done
  done
  # shellcheck disable=SC2086 # split at the colons
  open=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin stat -c '%u %a %n' -- $asked 2> /dev/null | while IFS=' ' read -r uid mode name; do
    case $name in
      /bin | /sbin) continue ;;
    esac
    [ "$uid" = 0 ] && [ $((0$mode & 022)) = 0 ] || printf ':%s:' "$name"
  done)
  path=''
  for dir in $kept; do
    above=$dir
    while [ -n "$above" ]; do
      case $open in
        *":$above:"*) continue 2 ;;
      esac
      above=${above%/*}
    done
    [ -z "$dir" ] || path=$path:$dir
  done
  printf '%s\n' "${path#:}"
)
# Where root is not the user of the environment, the image may have given to that user of its PATH.
# shellcheck disable=SC3067
if [ -O /run/envspec ]; then
  ENVSPEC_USER=''
  [ ! -r /var/lib/envspec/user ] || IFS= read -r ENVSPEC_USER < /var/lib/envspec/user || :
  if [ "${ENVSPEC_USER:-0}" != 0 ] || { [ -e /run/envspec/env ] && [ ! -O /run/envspec/env ]; }; then
    PATH=$(root_path)
    export PATH
    unset LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT
  fi
  unset ENVSPEC_USER
fi
unset -f root_path
