# put_environment < TAR: the tar holds "record" (name and JSON), and below "run" all that shall lie in the tmpfs.
begin
need_tmpfs
stage "$RUN"
read_record < "$STAGE/record"

{ sealed_files && printf '%s\n' secrets ca.pem; } | while IFS= read -r path; do
  [ -e "$STAGE/run/$path" ] || rm -f -- "$RUN/$path"
done
into_tmpfs "$STAGE/run"

# make shells read the variables; where the root filesystem can only be read, our own doors still do
hook="[ ! -r $RUN/env ] || . $RUN/env"
# by its name it comes last, so that a PATH of the image's does not override the one that was asked for
if [ -d /etc/profile.d ] && [ ! -e /etc/profile.d/zz-envspec.sh ]; then
  (printf '%s\n' "$hook" > /etc/profile.d/zz-envspec.sh) 2> /dev/null || :
fi
for file in /etc/bash.bashrc /etc/bashrc /etc/bash/bashrc; do
  if [ -f "$file" ] && ! grep -qF "$hook" "$file"; then
    (printf '%s\n' "$hook" >> "$file") 2> /dev/null || :
  fi
done
# git reads what is forwarded, if anything is, in a bare exec too; the system's file stays the image's, to be added to
if [ -d /etc ] && ! grep -qsF "path = $FORWARDED_GIT" /etc/gitconfig; then
  (printf '[include]\n\tpath = %s\n' "$FORWARDED_GIT" >> /etc/gitconfig) 2> /dev/null || :
fi
keep_record
