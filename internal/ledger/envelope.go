package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// payloadType is DSSE's payload type of an in-toto statement.
const payloadType = "application/vnd.in-toto+json"

// seal makes a signed statement of s.
func seal(ctx context.Context, key *Key, s Statement, m meta) (Item, error) {
	payload, err := encode(s, m)
	if err != nil {
		return Item{}, err
	}
	es, err := dsse.NewEnvelopeSigner(signer{key})
	if err != nil {
		return Item{}, err
	}
	env, err := es.SignPayload(ctx, payloadType, payload)
	if err != nil {
		return Item{}, err
	}
	data, err := json.Marshal(env)
	if err != nil {
		return Item{}, err
	}
	if len(data) > maxEnvelope {
		return Item{}, fmt.Errorf("it is %d bytes long, and at most %d are kept", len(data), maxEnvelope)
	}
	return Item{ID: release.DigestOf(data), Type: s.Type, Subject: s.Subjects[0].Digest, Envelope: data}, nil
}

// A parsed statement is well-formed, and is what its id names; its signature is
// yet to be verified.
type parsed struct {
	record   evidence.Record
	envelope dsse.Envelope
}

// parse reads a statement, or says in one line why it is none.
func parse(item Item) (parsed, string) {
	p := parsed{record: evidence.Record{ID: item.ID}}
	if len(item.Envelope) > maxEnvelope {
		return p, fmt.Sprintf("malformed: longer than %d bytes", maxEnvelope)
	}
	if is := release.DigestOf(item.Envelope); is != item.ID {
		return p, "altered: its content is " + is.Short() + ", not what its name says"
	}
	dec := json.NewDecoder(bytes.NewReader(item.Envelope))
	if err := dec.Decode(&p.envelope); err != nil {
		return p, fmt.Sprintf("malformed: no DSSE envelope: %v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return p, "malformed: more than one DSSE envelope"
	}
	if p.envelope.PayloadType != payloadType {
		return p, fmt.Sprintf("malformed: payload type %q", p.envelope.PayloadType)
	}
	if n := len(p.envelope.Signatures); n != 1 {
		return p, fmt.Sprintf("malformed: %d signatures, want 1", n)
	}
	payload, err := p.envelope.DecodeB64Payload()
	if err != nil {
		return p, fmt.Sprintf("malformed: %v", err)
	}
	if err := decode(payload, &p.record); err != nil {
		return p, fmt.Sprintf("malformed: %v", err)
	}
	p.record.Signer = p.envelope.Signatures[0].KeyID
	if item.Subject != p.record.Subjects[0].Digest {
		return p, fmt.Sprintf("subject mismatch: kept under %s, and it is about %s", item.Subject.Short(), p.record.Subjects[0].Digest.Short())
	}
	return p, ""
}

// verify checks a statement's signature against the keys that count, by id. It
// says in one line why the statement does not count, "" when it does.
func (p parsed) verify(ctx context.Context, keys map[string]ed25519.PublicKey) string {
	pub, ok := keys[p.record.Signer]
	if !ok {
		return fmt.Sprintf("unknown key %q: the policy in force does not hold it", p.record.Signer)
	}
	ev, err := dsse.NewEnvelopeVerifier(verifier{pub})
	if err != nil {
		return err.Error()
	}
	if _, err := ev.Verify(ctx, &p.envelope); err != nil {
		return "bad signature: key " + p.record.Signer + " did not sign this"
	}
	return ""
}
