# remove_files: stdin holds two lines a file: ledger name and path. What the ledger does not know is not ours.
begin

# remove_made TOPMOST: remove the directories that we made above this one, as far as they are empty
remove_made() {
  walk=${path%/*}
  [ -n "$1" ] && [ -z "$foreign" ] || return 0
  while [ "${PWD##*/}" = "${walk##*/}" ] && cd -P .. && rmdir -- "./${walk##*/}" 2> /dev/null && [ "$walk" != "$1" ]; do
    walk=${walk%/*}
  done
}

# put_back: let the original stand here again
put_back() {
  nest .envspec-remove || fail 1 "cannot write to ${path%/*}"
  cp -a -- "$original" "./$base" && mv -f -- "./$base" .. || fail 1 "cannot put the original of $path back"
  leave .envspec-remove
}

# is_ours: whether the directory that we are in is the one that the file was written to
is_ours() {
  for_owner "$(stat -c %u "./$base" 2> /dev/null || echo 0)"
}

while read -r name && IFS= read -r path; do
  locate "$path"
  path=$located base=${located##*/}
  original=$STATE/originals/$name
  [ -e "$STATE/ledger/$name" ] || continue
  if [ -e "$original" ] || [ -L "$original" ]; then
    [ -d "${path%/*}/" ] || { (enter_parents "$path" 0 0 /) || exit $?; }
  fi
  if ! enter "${path%/*}" || ! is_ours; then
    [ ! -e "$path" ] || printf '%s\n' "a link leads from $path elsewhere, so it is not ours: it is left alone"
  elif [ -d "./$base" ] && [ ! -L "./$base" ]; then
    printf '%s\n' "$path is a directory now, so it is not ours: it is left alone"
  elif [ -e "$original" ] || [ -L "$original" ]; then
    put_back
  else
    rm -f -- "./$base" || fail 1 "cannot remove $path"
    topmost=''
    [ ! -f "$original.absent" ] || IFS= read -r topmost < "$original.absent"
    remove_made "$topmost"
  fi
  forget "$name"
done
