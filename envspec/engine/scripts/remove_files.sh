# remove_files: stdin holds two lines a file: ledger name and path. What the ledger does not know is not ours.
begin

# remove the directories that we made above a path, as far as they are empty
remove_made() {
  walk=${1%/*}
  while [ -n "$2" ] && rmdir -- "$walk" 2> /dev/null && [ "$walk" != "$2" ]; do
    walk=${walk%/*}
  done
}

while read -r name && IFS= read -r path; do
  locate "$path"
  path=$located
  original=$STATE/originals/$name
  [ -e "$STATE/ledger/$name" ] || continue
  if [ -d "$path" ] && [ ! -L "$path" ]; then
    printf '%s\n' "$path is a directory now, so it is not ours: it is left alone"
  elif [ -e "$original" ] || [ -L "$original" ]; then
    part=${path%/*}/.envspec-$name
    mkdir -p -- "${path%/*}/" || fail 1 "cannot make the directory of $path"
    cp -a -- "$original" "$part" || fail 1 "cannot put the original of $path back"
    [ ! -L "$path" ] || rm -f -- "$path"
    mv -f -- "$part" "$path" || fail 1 "cannot put the original of $path back"
  else
    rm -f -- "$path" || fail 1 "cannot remove $path"
    topmost=''
    [ ! -e "$original.absent" ] || IFS= read -r topmost < "$original.absent"
    remove_made "$path" "$topmost"
  fi
  forget "$name"
done
