package forwarded

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/httpheader"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Envoy reads X-Forwarded-Client-Cert, from Envoy itself and from Istio.
//
// Verified: possession of the key. The chain is verified by the listener's TLS context,
// which may accept untrusted certificates (trust_chain_verification: ACCEPT_UNTRUSTED); the
// header does not report it. The policy needs an anchor. The chain is forwarded on resumed
// sessions too.
//
// Overwritten: everything, with SANITIZE_SET; SANITIZE forwards nothing. FORWARD_ONLY and
// ALWAYS_FORWARD_ONLY forward the client's header, the latter also for clients without a
// certificate, and are for proxies behind another one that sanitises. Istio's sidecars
// default to APPEND_FORWARD, which appends their element to those that the client sent;
// behind a gateway and a sidecar the last element is the gateway's workload, not the
// client. Set Hops to the number of proxies, or sanitise. In no mode does Envoy touch the
// spellings with "_" and "."; this package removes them.
//
// Required configuration, in the HTTP connection manager:
//
//	forward_client_cert_details: SANITIZE_SET
//	set_current_client_cert_details: {cert: true, chain: true}
//
// and, in the transport socket of a listener for HTTP/3, enable_early_data: false (section
// "Early data" of the package documentation).
//
// Leave uri and dns out. In the text form Envoy writes them without quotes
// (envoyproxy/envoy#32945), and "URI=" if the client has none. With one element, a client
// whose names hold a separator is then refused. With Hops, every value is refused that has
// URI or DNS to the left of the element that is read, because such a client could append an
// element of its own. The JSON form quotes them, so they do no harm there.
//
// Refused: a number of elements other than one or, with Hops, below Hops; another By than
// configured; a Hash that is missing or not the SHA-256 of the leaf, repeated or unknown keys,
// the form that is not configured, Hash alone. With Hops, well-formed elements further to the
// left are ignored. If a gateway
// and a sidecar append, a request without a client certificate has one element too few and
// is malformed, even with Config.Optional.
//
// To verify before going live: the probes of the package documentation, with a whole
// X-Forwarded-Client-Cert of another caller in the client's request.
//
// Source: Envoy, "HTTP header manipulation", x-forwarded-client-cert. Tested with Envoy
// 1.40. Envoy's client_cert filter, which writes the fields of [RFC9440], is not in the
// usual builds and was not run.
type Envoy struct {
	// From identifies Envoy: the sidecar's loopback address, or the proxies' network, from which
	// a NetworkPolicy must let only the proxies reach this process. Required.
	From Gate

	// Hops is the number of trusted proxies that append an element, including this
	// process's own sidecar: 1 reads the last element, 2 the last but one. The default 0
	// requires exactly one element, as SANITIZE_SET produces. More than 16 is an error of
	// [certauth.New].
	Hops int

	// By lists the By values that the elements to the right of the one that is read must have,
	// from right to left. By identifies the proxy that wrote an element. Exactly Hops-1 values
	// are required.
	By []string

	// JSON reads the JSON form instead of the text form:
	//
	//	set_current_client_cert_details: {cert: true, chain: true, format: JSON}
	//
	// Use it together with SANITIZE_SET. An Envoy that appends keeps the form of the header
	// that it received, so with APPEND_FORWARD on the first hop the client chooses the
	// form, and the wrong form is malformed.
	JSON bool
}

// Prepare implements [certauth.Source].
func (s Envoy) Prepare(env source.Environment) (*source.Reader, error) {
	var found []error
	if s.Hops < 0 || s.Hops > maxElements {
		found = append(found, fmt.Errorf("Hops: %d, want 0 to %d", s.Hops, maxElements))
	}
	if want := max(s.Hops-1, 0); len(s.By) != want {
		found = append(found, fmt.Errorf("By: %d values, want %d, one for each element to the right of the one that is read", len(s.By), want))
	}
	for i, by := range s.By {
		err := checkXFCC(by)
		if err == nil {
			err = httpheader.CheckValue(by, maxChainHeader)
		}
		switch {
		case by == "":
			found = append(found, fmt.Errorf("By[%d]: empty", i))
		case err != nil:
			found = append(found, fmt.Errorf("By[%d]: %w", i, err))
		case !s.JSON && strings.ContainsAny(by, `,;" `): // Envoy does not quote it
			found = append(found, fmt.Errorf("By[%d]: %s has a separator, which no By of the text form has", i, logtext.Quote(by)))
		}
	}
	l := xfccLayout("Envoy", s.From, xfccReader{hops: s.Hops, by: append([]string(nil), s.By...), json: s.JSON})
	l.form += ": it needs set_current_client_cert_details with cert: true; and SANITIZE_SET, or Hops here, if other proxies send elements too"
	return l.prepare(env, found...)
}

func xfccLayout(preset string, from Gate, xfcc xfccReader) layout {
	form := "the X-Forwarded-Client-Cert of Envoy with Hash and Cert or Chain"
	if xfcc.json {
		form += ", in JSON"
	}
	return layout{
		preset: preset, from: from, header: "X-Forwarded-Client-Cert", codec: codec{limit: maxChainHeader, all: xfcc.decode, sample: xfcc.spread},
		form: form,
	}
}

// xfccReader selects the element that a trusted proxy wrote.
type xfccReader struct {
	hops int
	by   []string
	json bool
}

// spread returns the part of a value that differs between clients, the hash of the leaf.
// The end of the value is a chain that many clients share. If proxies append elements, it
// is the hash as many elements from the right as the element that is read; any client can
// write the elements to the left of that one.
func (x xfccReader) spread(value string) string {
	const digits = 64
	key, before := "Hash=", value
	if x.json {
		key = `"hash":"`
	}
	at := -1
	for range max(x.hops, 1) {
		if at = strings.LastIndex(before, key); at < 0 {
			return value
		}
		before = before[:at]
	}
	at += len(key)
	return value[at:min(len(value), at+digits)]
}

func (x xfccReader) decode(value string) ([]*x509.Certificate, error) {
	parse := parseXFCC
	if x.json {
		parse = parseXFCCJSON
	}
	elements, err := parse(value)
	if err != nil {
		return nil, err
	}
	if x.hops == 0 {
		if len(elements) != 1 {
			return nil, fmt.Errorf("%d elements, want 1", len(elements))
		}
		return elements[0].certificates()
	}
	at := len(elements) - x.hops
	if at < 0 {
		return nil, fmt.Errorf("%d elements, want at least %d", len(elements), x.hops)
	}
	for _, element := range elements[:at] {
		if element.pasted {
			// A comma in an unquoted name starts an element that the client wrote, directly
			// to the right of the name. If the number of elements is fixed, the count
			// reveals it; if elements are counted from the right, nothing does.
			return nil, errors.New("an element to the left of the one that is read contains a name that Envoy does not quote")
		}
	}
	for i, want := range x.by {
		if right := elements[len(elements)-1-i]; len(right.by) != 1 || right.by[0] != want {
			return nil, errors.New("an element to the right of the one that is read has another By than the configured proxy")
		}
	}
	return elements[at].certificates()
}
