package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"gauntlet/internal/evidence"
	"gauntlet/internal/ledger"
)

// tampering writes to and damages a ledger in the lab's registry.
func tampering(t *testing.T) {
	c := copyLedger(t)
	r := statusOf(demoTeam(t)).Release
	about := []evidence.Subject{{Kind: evidence.Release, Digest: r}}
	ctx := t.Context()

	const writers = 20
	var wg sync.WaitGroup
	ids := make([]evidence.Record, writers)
	errs := make([]error, writers)
	key := demoKey(t, "linus")
	for i := range writers {
		wg.Go(func() {
			l := ledger.Open(openStore(t, c.repo))
			if _, errs[i] = l.Read(ctx, c.pinned); errs[i] != nil {
				return
			}
			ids[i], errs[i] = l.Append(ctx, key, ledger.Statement{Type: evidence.VetoType, Subjects: about,
				Predicate: evidence.Veto{Reason: fmt.Sprintf("writer %d", i)}})
		})
	}
	wg.Wait()
	view, err := ledger.Open(c.store).Read(ctx, c.pinned)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if errs[i] != nil {
			t.Errorf("writer %d: %v", i, errs[i])
			continue
		}
		found := false
		for _, rec := range view.Records {
			found = found || rec.ID == id.ID
		}
		if !found {
			t.Errorf("the statement of writer %d is lost", i)
		}
	}

	t.Run("a public client lists them, and they are in-toto statements", func(t *testing.T) {
		repo, err := name.NewRepository(c.repo)
		if err != nil {
			t.Fatal(err)
		}
		index, err := remote.Referrers(repo.Digest(string(r)), remote.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		im, err := index.IndexManifest()
		if err != nil {
			t.Fatal(err)
		}
		tags, err := remote.List(repo, remote.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d referrers of the release, %d tags", len(im.Manifests), len(tags))
		if len(im.Manifests) == 0 {
			t.Error("the referrers API lists no statement of the release")
		}
		for _, id := range ids {
			ref, err := name.NewTag(c.repo + ":st-" + id.ID.Hex())
			if err != nil {
				t.Fatal(err)
			}
			img, err := remote.Image(ref, remote.WithContext(ctx))
			if err != nil {
				t.Fatal(err)
			}
			layers, err := img.Layers()
			if err != nil || len(layers) != 1 {
				t.Fatalf("%d layers, %v", len(layers), err)
			}
			rc, err := layers[0].Compressed()
			if err != nil {
				t.Fatal(err)
			}
			var env struct{ PayloadType, Payload string }
			if err := json.NewDecoder(rc).Decode(&env); err != nil {
				t.Fatal(err)
			}
			_ = rc.Close()
			payload, err := base64.StdEncoding.DecodeString(env.Payload)
			if err != nil {
				t.Fatal(err)
			}
			var st intoto.Statement
			if err := protojson.Unmarshal(payload, &st); err != nil {
				t.Fatalf("payload: %v", err)
			}
			if err := st.Validate(); err != nil || env.PayloadType != "application/vnd.in-toto+json" {
				t.Errorf("payload type %q, %v", env.PayloadType, err)
			}
		}
	})

	item, err := c.store.Get(ctx, ids[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	for what, damage := range map[string]func(ledger.Item) ledger.Item{
		"an altered payload": func(i ledger.Item) ledger.Item {
			i.Envelope = alterPayload(t, i.Envelope)
			return i
		},
		"an altered signature": func(i ledger.Item) ledger.Item {
			i.Envelope = bytes.Replace(i.Envelope, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1)
			return i
		},
		"an altered subject": func(i ledger.Item) ledger.Item {
			for _, rec := range view.Records {
				if s := rec.Subjects[0]; s.Digest != i.Subject {
					i.Subject = s.Digest
					return i
				}
			}
			t.Fatal("no other subject")
			return i
		},
	} {
		t.Run(what+" is reported and counts as absent", func(t *testing.T) {
			d := copyLedger(t)
			bad := damage(item)
			bad.ID = digestOf(bad.Envelope)
			if err := d.store.Append(ctx, bad); err != nil {
				t.Fatal(err)
			}
			for _, e := range logOf(d.team).Statements {
				if e.ID == bad.ID {
					t.Error("it is among the verified statements")
				}
			}
			reported := false
			for _, rej := range logOf(d.team).Rejected {
				reported = reported || rej.ID == bad.ID && rej.Reason != ""
			}
			if !reported {
				t.Error("it is not reported")
			}
			if v := d.asked(t, r, 0, 3, 4); requirement(t, v, "no-veto").Decision != "allow" {
				t.Error("it counts as a veto")
			}
		})
	}
}

// alterPayload makes another statement of a signed one.
func alterPayload(t *testing.T, envelope []byte) []byte {
	t.Helper()
	var env map[string]any
	if err := json.Unmarshal(envelope, &env); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(env["payload"].(string))
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Replace(payload, []byte("writer 0"), []byte("writer X"), 1)
	if bytes.Equal(altered, payload) {
		t.Fatalf("nothing to alter in %s", payload)
	}
	env["payload"] = base64.StdEncoding.EncodeToString(altered)
	b, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
