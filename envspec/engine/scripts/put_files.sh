# put_files WORKSPACE < TAR: the tar holds "manifest" (three lines a file: "NAME UID GID KIND", path, JSON) and "f/NAME",
# which of a KIND that is "link" and not "file" holds where it leads.
workspace=$1
begin
stage "$STATE"

while read -r name uid gid kind && IFS= read -r path && IFS= read -r json; do
  locate "$path"
  path=$located
  if [ -d "$path" ] && [ ! -L "$path" ]; then fail 1 "$path is a directory: move it away, or choose another path"; fi
done < "$STAGE/manifest"

# keep_original: keep what was there before us, once, or remember that nothing was and which directories we made
keep_original() {
  original=$STATE/originals/$name
  if [ -e "$STATE/ledger/$name" ] || [ -e "$original" ] || [ -L "$original" ] || [ -e "$original.absent" ]; then return; fi
  if [ -e "../$base" ] || [ -L "../$base" ]; then
    own_file "$original.part"
    cp -a -- "../$base" "$original.part" || fail 1 "cannot keep the original $path"
    mv -f -- "$original.part" "$original" || fail 1 "cannot keep the original $path"
  else
    printf '%s\n' "$made" > "$original.absent" || fail 1 "cannot write to $STATE"
  fi
}

# make_file: the new file, with its name, where nobody sees it
make_file() {
  if [ "$kind" = link ]; then
    ln -s -- "$(cat "$STAGE/f/$name")" "./$base" && chown -h "$uid:$gid" "./$base"
  else
    cp -p -- "$STAGE/f/$name" "./$base"
  fi
}

# Files that follow one another in a directory share what they are made in.
nested=''
while read -r name uid gid kind && IFS= read -r path && IFS= read -r json; do
  locate "$path"
  path=$located base=${located##*/}
  made=''
  if [ "${path%/*} $uid" != "$nested" ]; then
    [ -z "$nested" ] || leave .envspec-put
    enter_parents "$path" "$uid" "$gid" "$workspace"
    nest .envspec-put || fail 1 "cannot write to ${path%/*}"
    nested="${path%/*} $uid"
  fi
  keep_original
  if ! make_file || ! mv -f -- "./$base" ..; then
    leave .envspec-put
    fail 1 "cannot write $path"
  fi
  # At once and without a process of its own: one that is cut off while it is written counts as not there.
  own_file "$STATE/ledger/$name"
  printf '%s\n' "$json" > "$STATE/ledger/$name" || fail 1 "cannot write the ledger"
done < "$STAGE/manifest"
[ -z "$nested" ] || leave .envspec-put
