package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// checkers find out whether certificates are revoked. They differ in what becomes of one
// when nobody can say. Most services need the first alone: revocation.New(revocation.Config{}).
type checkers struct {
	hard *revocation.Checker // no evidence, no entry
	soft *revocation.Checker // no evidence, let in and logged
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

// close waits for what is still being fetched.
func (c checkers) close() {
	_ = c.hard.Close() // nothing to be done about it at the end
	_ = c.soft.Close()
}
