package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// sopsTime bounds one run of sops: it may ask a key service in the cloud.
const sopsTime = time.Minute

// Decrypt decrypts a sops file with the user's own sops program, which finds the
// user's keys. name is the file's name: it says what the file is in messages, and
// that it is JSON when it ends so. The ciphertext goes in and the
// values come out through pipes: neither is ever in a file, an argument or a log.
func Decrypt(ctx context.Context, name string, ciphertext []byte) (release.Values, error) {
	form := "yaml"
	if strings.HasSuffix(name, ".json") {
		form = "json" // sops signs what it read, and numbers differ
	}
	out, err := sops(ctx, "", ciphertext, "--decrypt", "--input-type", form, "--output-type", "yaml", "/dev/stdin")
	if err != nil {
		return nil, fmt.Errorf("decrypt %s: %w", name, err)
	}
	v, err := release.ParseValues(name, out)
	if err != nil {
		return nil, fmt.Errorf("decrypted %s is no file of values", name) // the error would quote it
	}
	return v, nil
}

// Encrypt encrypts values with the user's own sops program, to the keys that the rules
// in .sops.yaml of dir or above name for a file of that name. The values go in and the
// ciphertext comes out through pipes: nothing is written. What comes back is opened
// again, and holds no value that is not encrypted.
func Encrypt(ctx context.Context, dir, name string, v release.Values) ([]byte, error) {
	text, err := yaml.Marshal(map[string]any(v))
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: these are no values", name)
	}
	out, err := sops(ctx, dir, text, "--encrypt", "--input-type", "yaml", "--output-type", "yaml", "--filename-override", name, "/dev/stdin")
	if err != nil {
		if m := err.Error(); strings.Contains(m, "creation rules") || strings.Contains(m, "config file not found") {
			err = fmt.Errorf("%w\n    fix: say to whose keys, for example with age: `age-keygen -o ~/.config/sops/age/keys.txt`, and in %s\n"+
				"         creation_rules: [{path_regex: '\\.enc\\.ya?ml$', age: THE PUBLIC KEY THAT IT PRINTED}]", err, filepath.Join(dir, ".sops.yaml"))
		}
		return nil, fmt.Errorf("encrypt %s: %w", name, err)
	}
	held, err := release.ParseValues(name, out)
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: what sops gave is no YAML", name)
	}
	delete(held, "sops") // its own notes
	if at := open("", map[string]any(held)); at != "" {
		return nil, fmt.Errorf("encrypt %s: the rules in .sops.yaml leave %s as it is (encrypted_regex, unencrypted_suffix and their like): give files of this name a rule that encrypts everything", name, at)
	}
	back, err := Decrypt(ctx, name, out)
	if err != nil {
		return nil, fmt.Errorf("encrypt %s: nothing could be deployed from here with it: %w", name, err)
	}
	if !reflect.DeepEqual(back, v) {
		return nil, fmt.Errorf("encrypt %s: sops gave back other values than it was given", name)
	}
	return out, nil
}

// open is the place of a value that sops has not encrypted, "" when there is none. It
// leaves nulls, empty texts and empty lists and maps as they are.
func open(at string, v any) string {
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if found := open(strings.TrimPrefix(at+"."+k, "."), v[k]); found != "" {
				return found
			}
		}
	case []any:
		for i, x := range v {
			if found := open(fmt.Sprintf("%s[%d]", at, i), x); found != "" {
				return found
			}
		}
	case string:
		if v != "" && !strings.HasPrefix(v, "ENC[") {
			return at
		}
	case nil:
	default:
		return at
	}
	return ""
}

// sops runs the user's sops program on what it reads from its standard input.
func sops(ctx context.Context, dir string, in []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, sopsTime)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "sops", args...)
	cmd.Dir = dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &errs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("the program sops is not installed: get it from https://getsops.io")
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		// What sops says on failure speaks of keys and formats, not of values.
		return nil, fmt.Errorf("with sops: %w: %s", err, kube.OneLine(errs.String()))
	}
	return out.Bytes(), nil
}
