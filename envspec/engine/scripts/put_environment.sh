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
for file in /etc/bash.bashrc /etc/bashrc /etc/bash/bashrc /etc/zsh/zshenv; do
  if [ -f "$file" ] && ! grep -qF "$hook" "$file"; then
    (printf '%s\n' "$hook" >> "$file") 2> /dev/null || :
  fi
done
# git reads what is forwarded, if anything is, in a bare exec too; the system's file stays the image's, to be added to
if [ -d /etc ] && ! grep -qsF "path = $FORWARDED_GIT" /etc/gitconfig; then
  (printf '[include]\n\tpath = %s\n' "$FORWARDED_GIT" >> /etc/gitconfig) 2> /dev/null || :
fi

# the system's own store trusts the host's CAs too, for what reads no variable. This is what update-ca-certificates
# does, in a hundredth of its time; it does the same again when a package is installed. A certificate is no secret
anchors=/usr/local/share/ca-certificates
bundle=/etc/ssl/certs/ca-certificates.crt
stale=
# mark FILE: a line that no other certificate has, for it is of the signature
mark() {
  tail -n 3 "$1" | head -n 1
}
for anchor in "$anchors"/envspec-*.crt; do
  [ -f "$anchor" ] || continue
  grep -qsF -- "$(mark "$anchor")" "$STAGE"/store/*.crt || stale=1
  find /etc/ssl/certs -lname "$anchor" -exec rm -f {} + 2> /dev/null
  rm -f "$anchor" 2> /dev/null || :
done
if [ -d "$STAGE/store" ] && mkdir -p "$anchors" 2> /dev/null && mv -f "$STAGE"/store/*.crt "$anchors" 2> /dev/null; then
  for anchor in "$anchors"/envspec-*.crt; do
    [ ! -f "$bundle" ] || grep -qF -- "$(mark "$anchor")" "$bundle" || cat "$anchor" >> "$bundle" || :
    name=$(openssl x509 -noout -subject_hash -in "$anchor" 2> /dev/null) || continue
    [ -e "/etc/ssl/certs/$name.0" ] || ln -s "$anchor" "/etc/ssl/certs/$name.0" 2> /dev/null || :
  done
fi
if [ -n "$stale" ] && command -v update-ca-certificates > /dev/null 2>&1; then
  update-ca-certificates > /dev/null 2>&1 || :
fi
keep_record
