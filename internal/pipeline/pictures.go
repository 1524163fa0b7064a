package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// Ends of the file names of pictures in an artifact: what was seen, what was accepted
// before when that differs, and the two side by side.
const (
	seenPicture     = ".png"
	acceptedPicture = ".accepted.png"
	otherPicture    = ".difference.png"
	failedPicture   = ".failed.png"
)

const pngType = "image/png"

// picturesOf is what a suite saw, as an artifact of the ledger; false when it took none.
func picturesOf(r check.Result) (release.Artifact, bool) {
	a := release.Artifact{Type: release.TypePictures, Config: []byte("{}")}
	for _, p := range r.Pictures {
		add := func(end string, png []byte) {
			if png != nil {
				a.Layers = append(a.Layers, release.Blob{MediaType: pngType, Title: p.Name + end, Data: png})
			}
		}
		if p.Failed {
			add(failedPicture, p.PNG)
			continue
		}
		add(seenPicture, p.PNG)
		if p.Difference != nil {
			add(acceptedPicture, p.Accepted)
			add(otherPicture, p.Difference)
		}
	}
	return a, len(a.Layers) > 0
}

// accepted are the pictures that the board last accepted, by name; none when none were.
func (w *Workspace) accepted(ctx context.Context, s *sight) (map[string][]byte, error) {
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.PicturesType || !s.is(r.Signer, config.RoleBoard) {
			continue
		}
		p, err := evidence.Decode[evidence.Pictures](r)
		if err != nil {
			return nil, err
		}
		a, err := w.ledger.Artifact(ctx, p.Artifact)
		if err != nil {
			return nil, fmt.Errorf("read the pictures that were accepted: %w", err)
		}
		out := map[string][]byte{}
		for _, l := range a.Layers {
			out[strings.TrimSuffix(l.Title, seenPicture)] = l.Data
		}
		return out, nil
	}
	return nil, nil
}

// A Picture is one that a suite saw on a hub.
type Picture struct {
	Name  string `json:"name"`
	State string `json:"state"` // one of the constants below

	Seen, Accepted, Difference []byte `json:"-"` // PNG; the last two when they differ
}

// States of a picture.
const (
	PictureSame    = "accepted" // looks as one that the board accepted
	PictureNew     = "new"      // none of this name was ever accepted
	PictureChanged = "changed"  // looks otherwise than the one that was accepted
	PictureFailed  = "failed"   // was not drawn: it shows what was there instead, and cannot be accepted
)

// Pictures are those that a suite took of what a hub runs, the newest of each, and what
// they were taken of.
func (w *Workspace) Pictures(ctx context.Context, hubName string) ([]Picture, error) {
	if _, err := w.hub(hubName); err != nil {
		return nil, err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, err
	}
	_, list, err := w.pictures(ctx, s, hubName)
	return list, err
}

// pictures are the newest pictures of a hub and what they were taken of.
func (w *Workspace) pictures(ctx context.Context, s *sight, hubName string) (evidence.Record, []Picture, error) {
	accepted, err := w.accepted(ctx, s)
	if err != nil {
		return evidence.Record{}, nil, err
	}
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.TestResultType || !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err != nil || t.Hub != hubName || t.Pictures == "" {
			continue
		}
		a, err := w.ledger.Artifact(ctx, t.Pictures)
		if errors.Is(err, ledger.ErrNotFound) {
			return r, nil, fmt.Errorf("the pictures that suite %s took of hub %s are gone from the ledger: run it again with `gauntlet check %s %s`", t.Suite, hubName, hubName, t.Suite)
		}
		if err != nil {
			return r, nil, err
		}
		return r, listed(a, accepted), nil
	}
	return evidence.Record{}, nil, inputf("no suite has taken pictures of hub %s: `gauntlet check %s viz --key NAME` takes them", hubName, hubName)
}

// listed are the pictures of an artifact, beside what is accepted by now.
func listed(a release.Artifact, accepted map[string][]byte) []Picture {
	var out []Picture
	for _, l := range a.Layers {
		if name, failed := strings.CutSuffix(l.Title, failedPicture); failed {
			out = append(out, Picture{Name: name, State: PictureFailed, Seen: l.Data})
			continue
		}
		name, ok := strings.CutSuffix(l.Title, seenPicture)
		if !ok || strings.Contains(name, ".") {
			continue
		}
		p := Picture{Name: name, State: PictureSame, Seen: l.Data}
		p.Difference, _ = a.Layer(name + otherPicture)
		p.Accepted, _ = a.Layer(name + acceptedPicture)
		switch now, known := accepted[name]; {
		case !known:
			p.State = PictureNew
		case string(now) == string(l.Data):
			p.Difference, p.Accepted = nil, nil // accepted since
		case p.Difference != nil:
			p.State = PictureChanged
		}
		out = append(out, p)
	}
	return out
}

// AcceptPictures records a board member's word that pictures of a hub look as they
// should: those that are named, else all that are new or changed.
func (w *Workspace) AcceptPictures(ctx context.Context, hubName string, names []string) (string, error) {
	if _, err := w.hub(hubName); err != nil {
		return "", err
	}
	if _, err := w.signer(); err != nil {
		return "", err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return "", err
	}
	word, err := w.speaker(s, config.RoleBoard)
	if err != nil {
		return "", err
	}
	of, list, err := w.pictures(ctx, s, hubName)
	if err != nil {
		return "", err
	}
	all, err := w.accepted(ctx, s)
	if err != nil {
		return "", err
	}
	keep := map[string][]byte{}
	maps.Copy(keep, all)
	var anew []string
	for _, p := range list {
		if p.State == PictureFailed || len(names) == 0 && p.State == PictureSame || len(names) > 0 && !slices.Contains(names, p.Name) {
			continue
		}
		keep[p.Name], anew = p.Seen, append(anew, p.Name)
	}
	for _, n := range names {
		if !slices.Contains(anew, n) {
			return "", inputf("hub %s has no picture %q: `gauntlet viz show %s` lists them", hubName, n, hubName)
		}
	}
	if len(anew) == 0 {
		return fmt.Sprintf("every picture of %s is accepted already", hubName), nil
	}
	a := release.Artifact{Type: release.TypePictures, Config: []byte("{}")}
	for _, n := range slices.Sorted(maps.Keys(keep)) {
		a.Layers = append(a.Layers, release.Blob{MediaType: pngType, Title: n + seenPicture, Data: keep[n]})
	}
	if err := w.ledger.PutArtifact(ctx, a); err != nil {
		return "", fmt.Errorf("keep the pictures: %w", err)
	}
	err = w.record(ctx, s, ledger.Statement{
		Type: evidence.PicturesType, Subjects: of.Subjects,
		Predicate: evidence.Pictures{Artifact: a.Digest(), Names: anew},
	})
	return fmt.Sprintf("%s accepts the pictures %s of %s", word.name, strings.Join(anew, ", "), hubName), err
}
