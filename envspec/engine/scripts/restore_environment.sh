# restore_environment < TAR: put the files that read_environment printed back into the tmpfs.
begin
need_tmpfs
stage "$RUN"
for name in env ca.pem; do
  [ ! -e "$STAGE/$name" ] || mv -f "$STAGE/$name" "$RUN/$name" || fail 1 "cannot write $RUN/$name"
done
