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

# keep what was there before us, once, or remember that nothing was and which directories we make
keep_original() {
  original=$STATE/originals/$name
  if [ -e "$STATE/ledger/$name" ] || [ -e "$original" ] || [ -L "$original" ] || [ -e "$original.absent" ]; then
    parents "$path" "$uid" "$gid" "$workspace"
  elif [ -e "$path" ] || [ -L "$path" ]; then
    cp -a -- "$path" "$original.part" || fail 1 "cannot keep the original $path"
    mv -f -- "$original.part" "$original" || fail 1 "cannot keep the original $path"
  else
    parents "$path" "$uid" "$gid" "$workspace"
    printf '%s\n' "$made" > "$original.absent" || fail 1 "cannot write to $STATE"
  fi
}

# make_part: the new file beside its place
make_part() {
  if [ "$kind" = link ]; then
    ln -sfn -- "$(cat "$STAGE/f/$name")" "$part" && chown -h "$uid:$gid" "$part"
  else
    cp -p "$STAGE/f/$name" "$part"
  fi
}

while read -r name uid gid kind && IFS= read -r path && IFS= read -r json; do
  locate "$path"
  path=$located
  keep_original
  part=${path%/*}/.envspec-$name
  [ ! -L "$path" ] || rm -f -- "$path"
  if ! make_part || ! mv -f -- "$part" "$path"; then
    rm -f -- "$part"
    fail 1 "cannot write $path"
  fi
  # At once and without a process of its own: one that is cut off while it is written counts as not there.
  printf '%s\n' "$json" > "$STATE/ledger/$name" || fail 1 "cannot write the ledger"
done < "$STAGE/manifest"
