package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// decryptTime bounds one run of sops: it may ask a key service in the cloud.
const decryptTime = time.Minute

// Decrypt decrypts a sops file with the user's own sops program, which finds the
// user's keys. name is the file's name: it says what the file is in messages, and
// that it is JSON when it ends so. The ciphertext goes in and the
// values come out through pipes: neither is ever in a file, an argument or a log.
func Decrypt(ctx context.Context, name string, ciphertext []byte) (release.Values, error) {
	ctx, cancel := context.WithTimeout(ctx, decryptTime)
	defer cancel()
	var out, errs bytes.Buffer
	form := "yaml"
	if strings.HasSuffix(name, ".json") {
		form = "json" // sops signs what it read, and numbers differ
	}
	cmd := exec.CommandContext(ctx, "sops", "--decrypt", "--input-type", form, "--output-type", "yaml", "/dev/stdin")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(ciphertext), &out, &errs
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, fmt.Errorf("decrypt %s: the program sops is not installed: get it from https://getsops.io", name)
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		// What sops says on failure speaks of keys and formats, not of values.
		return nil, fmt.Errorf("decrypt %s with sops: %w: %s", name, err, kube.OneLine(errs.String()))
	}
	v, err := release.ParseValues(name, out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("decrypted %s is no file of values", name) // the error would quote it
	}
	return v, nil
}
