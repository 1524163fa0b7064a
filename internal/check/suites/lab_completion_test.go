package suites

import (
	"fmt"
	"strings"
	"testing"

	"gauntlet/internal/check"
	"gauntlet/internal/release"
)

// startsWith are values with which a user's server runs a script before it starts.
func startsWith(script string) release.Values {
	return release.Values{"jupyterhub": map[string]any{"singleuser": map[string]any{
		"cmd": []any{"bash", "-c", script + "\nexec jupyterhub-singleuser \"$@\"", "start"},
	}}}
}

// startup is a script that gives a user's IPython code to begin with.
func startup(code string) string {
	return fmt.Sprintf("mkdir -p ~/.ipython/profile_default/startup\ncat > ~/.ipython/profile_default/startup/00.py <<'END'\n%s\nEND", code)
}

// dumps is a completer of one's own that offers all names there are, whatever was typed.
const dumps = `
from IPython.core.completer import context_matcher, SimpleCompletion
@context_matcher()
def everything(context):
    return {"completions": [SimpleCompletion(text=n) for n in [*get_ipython().user_ns, "%%time", "print"]], "suppress": True}
get_ipython().Completer.custom_matchers.append(everything)
`

// breaks is what jedi 0.18 does under IPython 7.19: every completion of it raises.
const breaks = `
import jedi
class Interpreter(jedi.Interpreter):
    def __init__(self, *a, **k):
        raise TypeError("__init__() got an unexpected keyword argument 'column'")
jedi.Interpreter = Interpreter
`

func TestLabCompletionNamesWhatIsWrong(t *testing.T) {
	c := connect(t)
	for name, tt := range map[string]struct {
		values release.Values
		fails  map[string]string // check to what its message says
	}{
		"the good image": {nil, nil},
		"a completer that dumps all names": {startsWith(startup(dumps)), map[string]string{
			"a cell completes an attribute of a module": "the completer offers all it knows",
		}},
		"a jedi that does not fit": {startsWith(startup(breaks)), map[string]string{
			"a cell completes a module that was not run yet": "completes to nothing",
		}},
		"no SHELL": {startsWith("unset SHELL"), map[string]string{
			"a terminal opens a shell without complaints": "$SHELL is not set",
		}},
		"a broken profile": {startsWith("echo 'source /opt/gone/activate' >> ~/.bash_profile"), map[string]string{
			"a terminal opens a shell without complaints": "/opt/gone/activate: No such file",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			url := labHub(t, c, tt.values)
			got := map[string]check.Outcome{}
			check.Run(t.Context(), Completion(target(c, url)), func(o check.Outcome) {
				t.Logf("%-50s %s %5.1fs %s", o.Name, o.State, o.Took.Seconds(), o.Message)
				got[o.Name] = o
			})
			for name, o := range got {
				if says, bad := tt.fails[name]; bad && (o.State != check.Failed || !strings.Contains(o.Message, says)) {
					t.Errorf("%s: %s: %q does not say %q", name, o.State, o.Message, says)
				}
				if len(tt.fails) == 0 && o.State != check.Passed {
					t.Errorf("%s: %s %s", name, o.State, o.Message)
				}
			}
			for name := range tt.fails {
				if _, ran := got[name]; !ran {
					t.Errorf("%s did not run", name)
				}
			}
			nothingLeft(t, c, url)
		})
	}
}
