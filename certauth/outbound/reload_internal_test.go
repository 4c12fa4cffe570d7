package outbound

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scripted is a local source that returns different data each time, and finally always the same.
type scripted struct {
	readings [][]blob
	reads    int
}

func (s *scripted) read(context.Context) ([]blob, error) {
	if len(s.readings) == 0 {
		return nil, errors.New("nothing")
	}
	s.reads++
	return s.readings[min(s.reads, len(s.readings))-1], nil
}
func (*scripted) check() []error { return nil }
func (*scripted) name() string   { return "scripted" }
func (*scripted) local() bool    { return true }

// A read during the replacement of files is repeated at once, a few times at most.
func TestReload_ReadsAgainWhatDoesNotFitTogether(t *testing.T) {
	h, other := newHostile(t), newHostile(t)
	whole := blob{name: "pair", data: h.file(pfxMAC{}, h.open(h.certBag(), h.keyBag()))}
	torn := blob{name: "pair", data: h.file(pfxMAC{}, h.open(h.certBag(), other.keyBag()))}
	half := blob{name: "pair", data: whole.data[:len(whole.data)/2]}
	for _, tc := range []struct {
		name     string
		readings []blob
		reads    int
		want     Reason
	}{
		{"whole", []blob{whole}, 1, ""},
		{"another key at first", []blob{torn, whole}, 2, ""},
		{"half of it, then another key", []blob{half, torn, whole}, 3, ""},
		{"it does not change", []blob{torn}, 2, ReasonKeyMissing},
		{"it changes all the time", []blob{half, torn, half, torn}, 3, ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			source := &scripted{}
			for _, b := range tc.readings {
				source.readings = append(source.readings, []blob{b})
			}
			own, err := Open(t.Context(), Config{Source: source, Interval: time.Hour})
			assert.Equal(t, tc.reads, source.reads)
			if tc.want != "" {
				require.Error(t, err)
				assert.Equal(t, tc.want, asError(err, "").Reason, "%v", err)
				return
			}
			require.NoError(t, err)
			require.NoError(t, own.Reload(t.Context()))
			assert.Equal(t, tc.reads+1, source.reads, "the same bytes again are not decoded")
			require.NoError(t, own.Close())
		})
	}
}

func TestPause_JitterAndBackOff(t *testing.T) {
	for _, tc := range []struct {
		interval time.Duration
		failures int
		random   float64
		want     time.Duration
	}{
		{time.Minute, 0, 0, time.Minute},
		{time.Minute, 0, 0.5, 54 * time.Second},
		{16 * time.Minute, 1, 0, time.Minute},
		{16 * time.Minute, 2, 0, 2 * time.Minute},
		{16 * time.Minute, 4, 0, 8 * time.Minute},
		{16 * time.Minute, 5, 0, 16 * time.Minute},
		{16 * time.Minute, 1000, 0, 16 * time.Minute},
		{16 * time.Minute, 1000, 0.25, 15*time.Minute + 12*time.Second},
		{4 * time.Second, 1, 0, time.Second},
		{4 * time.Second, 3, 0, 4 * time.Second},
		{time.Second, 1, 0, time.Second},
	} {
		assert.Equal(t, tc.want, pause(tc.interval, tc.failures, tc.random), "%+v", tc)
	}
}

// An interrupted read says nothing about the data: with the same bytes, the next read starts from the
// beginning.
func TestReload_WhatWasCutShortIsNotRemembered(t *testing.T) {
	h := newHostile(t)
	source := &scripted{readings: [][]blob{{{name: "pair", data: h.file(pfxMAC{}, h.open(h.certBag(), h.keyBag()))}}}}
	own, err := Open(t.Context(), Config{Source: source, ServerRoots: source, Interval: time.Hour})
	require.Error(t, err, "roots with a key")
	require.Nil(t, own)
	own, err = Open(t.Context(), Config{Source: source, Interval: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, own.Close()) })
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	r := &reading{}
	require.ErrorIs(t, own.readOwn(canceled, r, nil), context.Canceled)
	require.NoError(t, own.readOwn(t.Context(), r, nil))
	own.config.ServerRoots = source
	require.ErrorIs(t, own.readRoots(canceled, r), context.Canceled)
	assert.Equal(t, ReasonMalformed, asError(own.readRoots(t.Context(), r), "").Reason)
}
