package main

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// collections compares the cost of remembered identities for a full garbage collection with that of
// the same number of parsed certificates and their texts, the least that a cache must keep to return
// parsed certificates without parsing. It measures the processor time of all workers of the collector.
func collections(l *listener, n, rounds int) (section, error) {
	s := section{title: "Full collections"}
	w, err := newWorld("p256", "Partner")
	if err != nil {
		return s, err
	}
	m, err := w.material()
	if err != nil {
		return s, err
	}
	headers, err := w.issue(n, w.leaf)
	if err != nil {
		return s, err
	}
	var ratios, wholes []float64
	for range rounds {
		idle, err := collection()
		if err != nil {
			return s, err
		}
		parsed, err := parseAll(headers)
		if err != nil {
			return s, err
		}
		bare, err := collection()
		if err != nil {
			return s, err
		}
		runtime.KeepAlive(parsed)
		parsed = nil //nolint:ineffassign,wastedassign // so that the next collections do not find it

		auth, err := library(m, certauth.Config{CacheSize: 2 * n})
		if err != nil {
			return s, err
		}
		if err := visit(l, auth, headers); err != nil {
			return s, err
		}
		kept, err := collection()
		if err != nil {
			return s, err
		}
		if have := auth.Remembered(); have < n*99/100 {
			return s, fmt.Errorf("%d of %d identities are remembered", have, n)
		}
		ratios = append(ratios, (kept-idle)/(bare-idle))
		wholes = append(wholes, kept/bare)
	}
	s.figures = append(s.figures,
		figure{fmt.Sprintf("what %d identities add to a collection, to what their parsed certificates add", n), spreadOf(ratios), atMost(2.7)},
		figure{"the whole collection with the one, to that with the other", spreadOf(wholes), aim{}})
	return s, nil
}

type parsedText struct {
	text string
	cert *x509.Certificate
}

func parseAll(headers []string) ([]parsedText, error) {
	all := make([]parsedText, 0, len(headers))
	for _, header := range headers {
		der, err := base64.StdEncoding.DecodeString(header)
		if err != nil {
			return nil, err
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		all = append(all, parsedText{strings.Clone(header), cert})
	}
	return all, nil
}

// collection returns the processor time of a full collection, the smallest of several.
func collection() (float64, error) {
	runtime.GC()
	runtime.GC()
	times := make([]float64, 7)
	for i := range times {
		begun, err := cpuTime(0)
		if err != nil {
			return 0, err
		}
		runtime.GC()
		ended, err := cpuTime(0)
		if err != nil {
			return 0, err
		}
		times[i] = float64(ended - begun)
	}
	return slices.Min(times), nil
}
