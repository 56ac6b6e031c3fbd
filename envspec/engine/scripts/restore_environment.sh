# restore_environment < TAR: put the files that read_environment printed back into the tmpfs.
begin
need_tmpfs
stage "$RUN"
into_tmpfs "$STAGE"
