# put_state < TAR: take over what read_state printed in a container that shared a volume. Its view of its own root
# filesystem means nothing here; its view of what the volumes held at first replaces ours.
begin
stage "$STATE"
[ ! -e "$STAGE/read" ] || touch -r "$STAGE/read" "$STATE/windows/$TOKEN/start"
rm -rf "$STAGE/windows/rootfs" "$STAGE/windows/$TOKEN"
[ ! -d "$STAGE/windows/initial" ] || rm -rf "$STATE/windows/initial"
for part in windows originals ledger; do
  [ ! -d "$STAGE/$part" ] || cp -a "$STAGE/$part/." "$STATE/$part/" || fail 1 "cannot take over the $part"
done
