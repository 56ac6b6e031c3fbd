# write_records: stdin holds one record a line.
begin
while IFS=' ' read -r name json; do
  record "$name" "$json"
done
