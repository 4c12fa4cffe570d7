package main

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
)

// material holds a partner's certificates and that of one of its clients. Every server reads them
// from one folder.
type material struct {
	root, issuing, leaf *x509.Certificate
}

func (w *world) material() (material, error) {
	headers, err := w.issue(1, w.leaf)
	if err != nil {
		return material{}, err
	}
	der, err := base64.StdEncoding.DecodeString(headers[0])
	if err != nil {
		return material{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return material{root: w.root, issuing: w.issuing, leaf: leaf}, err
}

// newMaterial writes root.pem, issuing.pem and leaf.pem into dir.
func newMaterial(dir, kind string) (material, *world, error) {
	w, err := newWorld(kind, "Partner")
	if err != nil {
		return material{}, nil, err
	}
	m, err := w.material()
	if err != nil {
		return material{}, nil, err
	}
	for name, cert := range map[string]*x509.Certificate{"root.pem": m.root, "issuing.pem": m.issuing, "leaf.pem": m.leaf} {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return material{}, nil, err
		}
	}
	return m, w, nil
}

func readMaterial(dir string) (material, error) {
	var m material
	for name, into := range map[string]**x509.Certificate{"root.pem": &m.root, "issuing.pem": &m.issuing, "leaf.pem": &m.leaf} {
		text, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // the driver names the folder
		if err != nil {
			return material{}, err
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return material{}, fmt.Errorf("%s: no PEM block", name)
		}
		if *into, err = x509.ParseCertificate(block.Bytes); err != nil {
			return material{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

// header returns the value that App Service would write for the client.
func (m material) header() string { return headerOf(m.leaf) }
