package ledger

import (
	"testing"
	"time"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// Whatever an intruder keeps under a statement's name, reading it ends in a record
// or a reason, and what is read without the right key never counts.
func FuzzParse(f *testing.F) {
	good := item(f, artifact("R"), "why")
	f.Add(good.Envelope, string(good.Subject))
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":""}]}`), "")
	f.Add([]byte(`[]`), "sha256:")
	f.Add([]byte(``), "")
	f.Fuzz(func(t *testing.T, envelope []byte, subject string) {
		it := Item{ID: release.DigestOf(envelope), Subject: release.Digest(subject), Envelope: envelope}
		p, reason := parse(it)
		if reason == "" {
			if len(p.record.Subjects) == 0 || p.record.Time.IsZero() || p.record.Type == "" {
				t.Errorf("read without a reason to refuse it: %+v", p.record)
			}
			if p.verify(t.Context(), nil) == "" {
				t.Error("counts without a key")
			}
		}
		_, _ = policyChange(p.record)
	})
}

// What is read of a payload is what every reader of JSON sees.
func FuzzDecode(f *testing.F) {
	payload, err := encode(vetoOf(artifact("R").Digest(), "why"), meta{Time: time.Unix(1, 0).UTC()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x","digest":{"sha256":""}}],"predicateType":"t","predicate":{"gauntlet":null}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var r evidence.Record
		if decode(payload, &r) != nil {
			return
		}
		if len(r.Subjects) == 0 || r.Type == "" || r.Time.IsZero() {
			t.Errorf("%q gives %+v", payload, r)
		}
		for _, s := range r.Subjects {
			if _, err := release.ParseDigest(string(s.Digest)); err != nil || s.Kind == "" {
				t.Errorf("%q gives subject %+v", payload, s)
			}
		}
	})
}
