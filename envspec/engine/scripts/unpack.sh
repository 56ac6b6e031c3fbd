# unpack UID GID DIR < TAR: unpack a tar stream in a directory. Where that is the user's, the user does it. Elsewhere it
# is unpacked where only root can look, and moved from there name by name: into directories that were entered, and by
# renaming alone, neither of which follows a link. Directories that were there keep owner and mode then.
uid=$1 gid=$2
exec >&3 2>&3
nested=.envspec-cp-$TOKEN

# mounted FD: set mount to where a directory that is open belongs
mounted() {
  mount=''
  while read -r key value; do
    [ "$key" != mnt_id: ] || mount=$value
  done < "/proc/self/fdinfo/$1"
}
# clear: remove what is left of what was unpacked in the directory open as 4, which is in the one open as 5
clear() {
  trap '' HUP INT PIPE TERM
  cd -P /proc/self/fd/4/. && find . -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +
  cd -P /proc/self/fd/5/. && rmdir -- "./$nested"
} 2> /dev/null
# prepare: make the directory that is open as 4 then, and be in it; the one that it is in is open as 5
prepare() {
  exec 5< . && nest "$nested" && exec 4< . && mounted 4
}
# settle BELOW: move what is below the directory open as 4 into the one we are in; BELOW is '' or ends in a slash
settle() {
  was_mount=$mount
  exec 6< . && mounted 6
  if [ "$mount" != "$was_mount" ]; then # what cannot be renamed is copied first, again to where only root can look
    (
      from=/proc/self/fd/7/$1
      exec 7<&4
      trap clear EXIT
      trap 'exit 143' HUP INT PIPE TERM
      prepare && cp -a -- "$from." . && cd -P /proc/self/fd/5/. && settle '' && rmdir -- "./$nested"
    ) || return 1
    mount=$was_mount
    find "/proc/self/fd/4/$1" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +
    return
  fi
  for entry in "/proc/self/fd/4/$1"*/ "/proc/self/fd/4/$1".[!.]*/ "/proc/self/fd/4/$1"..?*/; do
    entry=${entry%/} name=${entry##*/}
    name=${name%/}
    if [ -L "$entry" ] || [ ! -d "$entry" ] || [ -L "./$name" ] || [ ! -d "./$name" ]; then continue; fi
    (step "$name" && settle "$1$name/") && rmdir -- "$entry" || return 1
  done
  # shellcheck disable=SC2016 # expanded by the shell that find starts
  find "/proc/self/fd/4/$1" -mindepth 1 -maxdepth 1 -exec /bin/sh -c 'mv -f -- "$@" .' sh {} +
}

enter "$3" || fail 1 "$3 is not a directory"
owner=$(stat -c %u .)
for_owner "$uid" || { [ "$owner" != 0 ] && [ "$owner" = "$foreign" ]; } || fail 1 "refusing to write to $3: a link leads from there to $PWD"

if [ "$uid" != 0 ] && [ "$owner" = "$uid" ]; then
  keep=''
  ! tar --version 2> /dev/null | grep -q GNU || keep=--keep-directory-symlink
  as_input=/dev/stdin code=0
  as_user "$uid" "$gid" "tar -xpf - $keep" || code=$?
  [ "$code" = 125 ] || exit "$code"
fi
trap 'code=$?; clear; finish "$code"' EXIT
prepare || fail 1 "cannot write to $3"
tar -xpf - || exit 1
cd -P /proc/self/fd/5/. && settle '' && rmdir -- "./$nested" || exit 1
