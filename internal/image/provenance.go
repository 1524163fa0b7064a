package image

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/proxy"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	digest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"gauntlet/internal/evidence"
)

// What BuildKit annotates the provenance in its history with.
const (
	predicateType = "in-toto.io/predicate-type"
	slsaV1        = "https://slsa.dev/provenance/v1"
)

// provenanceLimit bounds BuildKit's provenance of one build, in bytes: it repeats the
// Dockerfile and every step of it.
const provenanceLimit = 32 << 20

// resolved is what BuildKit fetched for a build of its history, by digest: base images,
// what the Dockerfile ADDs from elsewhere. ref is the build's.
// Source: BuildKit's ListenBuildHistory, whose records hold SLSA provenance v1.
func resolved(ctx context.Context, c *client.Client, ref string) ([]evidence.Descriptor, error) {
	history, err := c.ControlClient().ListenBuildHistory(ctx, &controlapi.BuildHistoryRequest{Ref: ref, EarlyExit: true})
	if err != nil {
		return nil, err
	}
	var at *controlapi.Descriptor
	for {
		event, err := history.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, d := range event.GetRecord().GetResult().GetAttestations() {
			if d.Annotations[predicateType] == slsaV1 {
				at = d
			}
		}
	}
	if at == nil {
		return nil, errors.New("its history has no provenance of the build: is its history off (buildkitd.toml), or is it older than 0.20?")
	}
	if at.Size > provenanceLimit {
		return nil, fmt.Errorf("its provenance of the build has %d bytes (limit %d)", at.Size, provenanceLimit)
	}
	data, err := content.ReadBlob(ctx, proxy.NewContentStore(c.ContentClient()), ocispec.Descriptor{
		MediaType: at.MediaType, Digest: digest.Digest(at.Digest), Size: at.Size,
	})
	if err != nil {
		return nil, err
	}
	var p struct {
		BuildDefinition struct {
			ResolvedDependencies []evidence.Descriptor `json:"resolvedDependencies"`
		} `json:"buildDefinition"`
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("its provenance of the build cannot be read: %w", err)
	}
	list := p.BuildDefinition.ResolvedDependencies
	slices.SortFunc(list, func(a, b evidence.Descriptor) int { return cmp.Compare(a.URI, b.URI) })
	return list, nil
}
