package policyfile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// MarshalPolicy encodes a policy as JSON, as it would appear in a document. It returns an error for
// code ([certauth.PolicyFunc], [certauth.CertFunc] and [certauth.PinFunc]), for an empty list, and for
// a checker that has no name in checkers. Pinned certificates are encoded as PEM.
func MarshalPolicy(policy certauth.Policy, checkers map[string]certauth.RevocationChecker) ([]byte, error) {
	var b bytes.Buffer
	e := &encoder{out: jsontext.NewEncoder(&b, jsontext.WithIndent("  ")), checkers: checkers}
	if err := formOf(reflect.TypeFor[certauth.Policy]()).encode(e, reflect.ValueOf(&policy).Elem()); err != nil {
		return nil, fmt.Errorf("policyfile: policy: %w", err)
	}
	return b.Bytes(), nil
}

// UnmarshalPolicy decodes the result of [MarshalPolicy]. Names of files are used unchanged. Errors are
// of type [Mistakes]. It does not check whether certauth.New accepts the policy.
func UnmarshalPolicy(text []byte, checkers map[string]certauth.RevocationChecker) (certauth.Policy, error) {
	d := &decoder{text: text, checkers: checkers, material: &material{}}
	root, mistake := parseJSON(text)
	if mistake != nil {
		return nil, Mistakes{*mistake}
	}
	var policy certauth.Policy
	formOf(reflect.TypeFor[certauth.Policy]()).decode(d, root, reflect.ValueOf(&policy).Elem())
	if len(d.mistakes) > 0 {
		return nil, d.mistakes
	}
	return policy, nil
}

type encoder struct {
	out      *jsontext.Encoder
	checkers map[string]certauth.RevocationChecker
}

// nameOf returns the first name of a checker, or "". A checker that cannot be compared, such as a
// function, has none.
func (e *encoder) nameOf(checker certauth.RevocationChecker) string {
	if !reflect.ValueOf(checker).Comparable() {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(e.checkers)) {
		if known := e.checkers[name]; reflect.ValueOf(known).Comparable() && known == checker {
			return name
		}
	}
	return ""
}

func (e *encoder) write(token jsontext.Token) error { return e.out.WriteToken(token) }

func pemOf(list []*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, cert := range list {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}) // writing to a buffer does not fail
	}
	return b.Bytes()
}
