package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
)

// writeJSON writes a value and a new line. What could move a cursor or turn the
// writing round is escaped: JSON is read on terminals too.
func writeJSON(out io.Writer, v any, indent string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	var safe bytes.Buffer
	for _, r := range b.String() {
		if r == '\n' || strconv.IsPrint(r) {
			safe.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) { // such are in strings only
			fmt.Fprintf(&safe, "\\u%04x", u)
		}
	}
	_, err := out.Write(safe.Bytes())
	return err
}
