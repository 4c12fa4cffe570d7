// Command cfssl is the OCSP responder of CFSSL. CFSSL's signer makes the responses in advance,
// and its handler serves them, found by serial number alone.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/cloudflare/cfssl/helpers"
	"github.com/cloudflare/cfssl/ocsp"
)

// config is the content of the file that the argument names. Files are PEM.
type config struct {
	// Listen is an address; Path precedes the request in the path of a GET.
	Listen, Path string
	// CA issued the certificates; Signer and Key sign the responses.
	CA, Signer, Key string
	// Lifetime is the time from thisUpdate to nextUpdate.
	Lifetime time.Duration
	// Answers are the known certificates.
	Answers []answer
}

// answer describes one certificate.
type answer struct {
	Certificate string
	Status      string // good, revoked, or unknown
	Reason      string // in CFSSL's spelling
	RevokedAt   time.Time
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments, want a configuration or version", len(args))
	}
	if args[0] == "version" {
		fmt.Println(version())
		return nil
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var c config
	if err := json.Unmarshal(text, &c); err != nil {
		return err
	}
	source, err := c.source()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr()) // the port in Listen may be 0
	// A ServeMux would treat the slashes in base64 as path separators.
	handler := http.StripPrefix(c.Path, ocsp.NewResponder(source, nil))
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

// source signs all answers.
func (c config) source() (ocsp.Source, error) {
	signer, err := ocsp.NewSignerFromFile(c.CA, c.Signer, c.Key, c.Lifetime)
	if err != nil {
		return nil, err
	}
	source := ocsp.InMemorySource{}
	for _, a := range c.Answers {
		text, err := os.ReadFile(a.Certificate)
		if err != nil {
			return nil, err
		}
		cert, err := helpers.ParseCertificatePEM(text)
		if err != nil {
			return nil, err
		}
		reason, err := ocsp.ReasonStringToCode(a.Reason)
		if err != nil {
			return nil, err
		}
		request := ocsp.SignRequest{Certificate: cert, Status: a.Status, Reason: reason, RevokedAt: a.RevokedAt}
		if source[cert.SerialNumber.String()], err = signer.Sign(request); err != nil {
			return nil, err
		}
	}
	return source, nil
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "github.com/cloudflare/cfssl" {
			return "CFSSL's responder " + module.Version
		}
	}
	return "unknown"
}
