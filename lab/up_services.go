package lab

import (
	"context"
	"errors"
	"fmt"
)

// upServices brings up the registry and the image builder, and the network they
// are reached through.
func upServices(ctx context.Context, p *progress, programs map[string]string) (changed bool, err error) {
	u := servicesUnit()
	hash := u.configHash(programs)
	running, err := ownUnits()
	if err != nil {
		return false, err
	}
	old, exists := running[u.name]
	if exists && old.config == hash {
		err := until(ctx, recoveryLimit, func() error {
			if err := stillThere(old); err != nil {
				return err
			}
			return checkServices(ctx)
		})
		if err == nil {
			return false, setUpHostNetwork(ctx)
		}
		if ctx.Err() != nil {
			return false, err
		}
	}
	if exists {
		p.say("registry and image builder run, but badly or as another version: starting them again")
		if err := endUnits(ctx, []runningUnit{old}); err != nil {
			return false, err
		}
	}
	if err := removeCgroups(ctx, func(name string) bool { return name != buildCgroup }); err != nil {
		return false, err
	}
	if err := setUpHostNetwork(ctx); err != nil {
		return false, err
	}
	if err := checkPortFree(ctx, Registry); err != nil {
		return false, err
	}
	s, err := u.start(hash)
	if err != nil {
		return true, err
	}
	if err := await(ctx, []*startedUnit{s}, func() error { return checkServices(ctx) }); err != nil {
		return true, fmt.Errorf("start registry and image builder: %w", err)
	}
	p.say("registry %s and image builder %s are up", Registry, BuildkitAddr())
	return true, nil
}

// await waits until check succeeds; the end of one of the units is an error, as
// is too long a wait, with the end of its logs.
func await(ctx context.Context, units []*startedUnit, check func() error) error {
	err := until(ctx, startLimit, func() error {
		for _, u := range units {
			select {
			case <-u.ended:
				return permanent{fmt.Errorf("%s ended%s", u.name, u.logTail())}
			default:
			}
		}
		return check()
	})
	if err == nil || errors.As(err, new(permanent)) || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w%s", err, units[0].logTail())
}
