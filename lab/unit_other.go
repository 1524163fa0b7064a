//go:build !linux

package lab

import "errors"

type startedUnit struct {
	unit
	pid   int
	ended chan struct{}
}

func (u unit) start(string) (*startedUnit, error) {
	return nil, errors.New("the lab needs Linux")
}
