# forget NAME...: drop ledger entries.
begin
for name; do
  forget "$name"
done
