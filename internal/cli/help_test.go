package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command says in one line what it does and shows how it is called; its flags
// and arguments have words of their own.
func TestEveryCommandHasHelpAndExamples(t *testing.T) {
	n := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		n++
		at := c.CommandPath()
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 80 {
			t.Errorf("%s: short help %q: one line without a full stop", at, c.Short)
		}
		if !strings.Contains(c.Example, at) && c.Parent() != nil {
			t.Errorf("%s: no example of it:\n%s", at, c.Example)
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len([]rune(line)) > 100 {
				t.Errorf("%s: a line of its help is %d characters long: %s", at, len([]rune(line)), line)
			}
		}
		if c.Args == nil {
			t.Errorf("%s: nothing checks its arguments", at)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).root())
	if n < 15 {
		t.Errorf("only %d commands", n)
	}
}
