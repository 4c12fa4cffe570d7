package forwarded

import (
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/internal/httpheader"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Header is the source for a front end without a preset. You name the header and its
// format, and you are responsible for the front end's behaviour.
//
// Verified: depends on your front end. Without Require, nothing here says that it verified
// anything; with Require, a flag means what the front end's documentation says it means.
//
// Overwritten: find out, for the certificate header and every other header named here, on
// every listener and every route. If a header passes through when the client has no
// certificate, the client can choose its identity.
//
// Required configuration: on every request the front end must set, or remove, every header
// that is named here. It must also drop "Upgrade: h2c", refuse CONNECT and accept no early
// data: see sections "Upgrade" and "Early data" of the package documentation.
//
// Refused: everything that the format does not allow, a repeated header, a chain without a
// leaf, and a flag that does not have exactly its value
// ([certauth.ReasonFrontEndUnverified]).
//
// To verify before going live: run all probes of the package documentation.
type Header struct {
	// From identifies the permitted senders of the headers. Required.
	From Gate
	// Name is the header that carries the leaf. Required.
	Name string
	// Format is the format of the header. Required.
	Format Format
	// ChainName and ChainFormat describe the rest of the chain. Set both or neither.
	ChainName   string
	ChainFormat ChainFormat
	// Require lists the flags that the front end must send. All of them must hold.
	Require []Flag
	// FingerprintName and FingerprintHash describe a header with the leaf's fingerprint in
	// hex. If set, the header must be present and match. Set both or neither.
	FingerprintName string
	FingerprintHash Hash
	// FrontEndVerifies treats the flags in Require as an anchor, so that the policy may
	// check names without a Chain or a pin. At least one of them must then have a Value,
	// because the absence of a header proves nothing.
	FrontEndVerifies bool
}

// Prepare implements [certauth.Source].
func (h Header) Prepare(env source.Environment) (*source.Reader, error) {
	decode, err := h.Format.decoder()
	found := []error{err}
	if (h.ChainName == "") != (h.ChainFormat == ChainUnspecified) {
		found = append(found, errors.New("ChainName and ChainFormat: set together or not at all"))
	}
	if h.ChainFormat < ChainUnspecified || h.ChainFormat > ChainSpacedPEMNumbered {
		found = append(found, fmt.Errorf("ChainFormat: %d is not known", h.ChainFormat))
	}
	if h.FingerprintHash < HashUnspecified || h.FingerprintHash > HashSHA256 {
		found = append(found, fmt.Errorf("FingerprintHash: %d is not known", h.FingerprintHash))
	}
	for i, flag := range h.Require {
		switch {
		case flag.Absent && flag.Value != "":
			found = append(found, fmt.Errorf("Require[%d]: Value and Absent contradict each other", i))
		case !flag.Absent && flag.Value == "":
			found = append(found, fmt.Errorf("Require[%d].Value: empty; set Absent if the header must be absent", i))
		}
		if err := httpheader.CheckValue(flag.Value, maxFlag); err != nil {
			found = append(found, fmt.Errorf("Require[%d].Value: %w", i, err))
		}
	}
	return layout{
		preset: "Header", from: h.From,
		header: h.Name, codec: decode,
		chain:       chainReader{format: h.ChainFormat, name: h.ChainName},
		flags:       append([]Flag(nil), h.Require...),
		fingerprint: h.FingerprintName, fingerprintHash: h.FingerprintHash,
		verifies: h.FrontEndVerifies,
		form:     "one certificate in the configured format",
	}.prepare(env, found...)
}
