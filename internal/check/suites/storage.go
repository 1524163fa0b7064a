package suites

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/dask"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
)

// storageForm says what the suite does; it changes when that changes.
const storageForm = "storage v1: there, kept, crosses to a worker and back, dask, removed"

// storageCode is what a user does.
//
//go:embed storage.py
var storageCode string

// storageTime bounds a check of one store: object storage far away is slow, not minutes.
const storageTime = 3 * time.Minute

// Storage is the suite "storage": mounts and buckets are there in a user's server and on
// a Dask worker, and what one side writes the other reads. It writes into a folder of its
// own in each, and removes that.
func Storage(t HubTarget) check.Suite {
	s := &storage{&scaling{probe: newProbe(t)}}
	const python, starts, comes = "a kernel starts", "a Dask cluster starts", "a worker comes"
	list := []check.Check{{Name: python, Timeout: 2 * time.Minute, Run: s.python}}
	var crossing, leaving []check.Check
	for _, store := range t.Storage {
		name := store.Name()
		is, keeps := name+" is there", name+" keeps what is written"
		list = append(list,
			check.Check{Name: is, Timeout: storageTime, Needs: []string{python}, Retries: 1, Run: s.there(store)},
			check.Check{Name: keeps, Timeout: storageTime, Needs: []string{is}, Retries: 1, Run: s.step("", "keeps", store, text)},
		)
		if !store.NotebookOnly() {
			crossing = append(crossing,
				check.Check{Name: name + " is the same on a worker", Timeout: storageTime, Needs: []string{keeps, comes}, Retries: 1, Run: s.step(dask.Worker, "crosses", store, text)},
				check.Check{Name: "Dask writes and reads " + name, Timeout: storageTime, Needs: []string{keeps, comes}, Retries: 1, Run: s.step(dask.Worker, "dask_works", store)},
			)
		}
		leaving = append(leaving, check.Check{Name: name + " is left as it was", Timeout: storageTime, Needs: []string{is}, Retries: 1, Run: s.step("", "clean", store)})
	}
	if len(crossing) > 0 {
		list = append(list,
			check.Check{Name: starts, Timeout: arrival + time.Minute, Needs: []string{python}, Run: s.open, Nodes: 1},
			check.Check{Name: comes, Timeout: arrival + registered, Needs: []string{starts}, Run: s.one, Nodes: 2},
		)
	}
	list = append(append(list, crossing...), leaving...)
	if len(t.Storage) == 0 {
		list = []check.Check{{Name: "what there is to check", Timeout: time.Second, Run: func(context.Context) (string, error) {
			return "", fmt.Errorf("gauntlet.yaml names no storage: add storage: [{mount: PATH}] or [{url: s3://BUCKET}], or leave the suite out of the policy")
		}}}
	}
	about, err := json.Marshal(t.Storage)
	if err != nil {
		about = []byte(err.Error()) // options that JSON cannot hold: the steps say so
	}
	return s.finish(s.suite("storage", strings.Join([]string{storageForm, storageCode, scalingCode, string(about)}, "\x00"), list...))
}

// storage is one run of the suite.
type storage struct{ *scaling }

// text is what is written: more than ASCII, and more than a line.
const text = "Grüße\nfrom the probe\n"

func (s *storage) python(ctx context.Context) (string, error) {
	if err := s.begin(ctx); err != nil {
		return "", err
	}
	_, err := s.kernel.Run(ctx, storageCode)
	return "", err
}

// one brings one worker.
func (s *storage) one(ctx context.Context) (string, error) {
	if _, err := s.run(ctx, "", "cluster.scale", 1); err != nil {
		return "", err
	}
	if _, err := s.come(ctx, 1); err != nil {
		return "", err
	}
	return "", s.work(ctx, 1)
}

func (s *storage) there(store config.Store) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		out, err := s.kernel.Run(ctx, fmt.Sprintf("print(there(%s))", literal(store)))
		if err != nil {
			return "", missing(err)
		}
		return kube.OneLine(strings.TrimSpace(out.Stdout)), nil
	}
}

// step is a check that calls a function of storage.py. Meanwhile the pods of a part of the
// cluster are looked at, none for "": what needs no cluster runs when that has failed.
func (s *storage) step(part dask.Component, function string, store config.Store, args ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		begun := time.Now()
		code := []string{literal(store), strconv.QuoteToASCII("." + s.name)}
		for _, a := range args {
			code = append(code, strconv.QuoteToASCII(a))
		}
		_, err := s.watched(ctx, part, func(ctx context.Context) (kernel.Output, error) {
			return s.kernel.Run(ctx, function+"("+strings.Join(code, ", ")+")")
		})
		if err != nil {
			return "", missing(err)
		}
		return "after " + took(begun), nil
	}
}

// literal is a store as Python code.
func literal(store config.Store) string {
	b, err := json.Marshal(store)
	if err != nil {
		b = []byte("{}")
	}
	return "json.loads(" + strconv.QuoteToASCII(string(b)) + ")"
}

// missing says which package a store needs that an image does not have.
func missing(err error) error {
	if strings.Contains(err.Error(), "Install s3fs") || strings.Contains(err.Error(), "install gcsfs") || strings.Contains(err.Error(), "ModuleNotFoundError") {
		return check.Final(fmt.Errorf("%w: add the package to the images", err))
	}
	return err
}
