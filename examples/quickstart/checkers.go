package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// checkers determine whether certificates are revoked. They differ in how they treat certificates
// whose status is unknown. Most services need only the first:
// revocation.New(revocation.Config{}).
type checkers struct {
	hard *revocation.Checker // without evidence the caller is refused
	soft *revocation.Checker // without evidence the caller is accepted, and that is logged
}

func newCheckers(network revocation.HTTPOptions, now func() time.Time, logger *slog.Logger) (checkers, error) {
	hard, err := revocation.New(revocation.Config{HTTP: network, Now: now, Logger: logger})
	if err != nil {
		return checkers{}, err
	}
	soft, err := revocation.New(revocation.Config{Mode: revocation.SoftFail, HTTP: network, Now: now, Logger: logger})
	if err != nil {
		return checkers{}, errors.Join(err, hard.Close())
	}
	return checkers{hard: hard, soft: soft}, nil
}

// close waits for fetches that are still running.
func (c checkers) close() {
	_ = c.hard.Close() // errors do not matter at the end
	_ = c.soft.Close()
}
