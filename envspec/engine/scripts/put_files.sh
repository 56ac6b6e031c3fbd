# put_files WORKSPACE < TAR: the tar holds "manifest" (three lines a file: "NAME UID GID KIND", path, JSON) and "f/NAME",
# which of a KIND that is "link" and not "file" holds where it leads.
workspace=$1
begin
stage "$STATE"
mkdir "$STAGE/ledger" || fail 1 "cannot write to $STATE"

# keep_entries: move what was written down of the files so far into the ledger, each entry whole or not at all
keep_entries() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  find "$STAGE/ledger" -type f -exec sh -c 'mv -f -- "$@" "$0"' "$STATE/ledger" {} +
}
at_end() {
  [ ! -d "${STAGE-}/ledger" ] || keep_entries || :
}

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
  printf '%s\n' "$json" > "$STAGE/ledger/$name" || fail 1 "cannot write the ledger"
done < "$STAGE/manifest"
if ! keep_entries || ! rmdir "$STAGE/ledger"; then fail 1 "cannot write the ledger"; fi
