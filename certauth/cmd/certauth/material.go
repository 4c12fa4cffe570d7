package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// materialOf reads certificates to check their dates. certauth.New reports those that cannot be read.
func materialOf(source certauth.CertSource) []*x509.Certificate {
	switch s := source.(type) {
	case certauth.PEM:
		return pemCertificates(s)
	case certauth.Env:
		return pemCertificates([]byte(os.Getenv(string(s))))
	case certauth.PEMFile:
		return fileCertificates(string(s))
	case certauth.CertFile:
		return fileCertificates(string(s))
	case certauth.CertDir:
		entries, _ := os.ReadDir(string(s))
		var all []*x509.Certificate
		for _, entry := range entries {
			if slices.Contains([]string{".pem", ".crt", ".cer", ".der"}, strings.ToLower(filepath.Ext(entry.Name()))) {
				all = append(all, fileCertificates(filepath.Join(string(s), entry.Name()))...)
			}
		}
		return all
	case interface{ List() []*x509.Certificate }:
		return s.List()
	}
	return nil
}

func fileCertificates(name string) []*x509.Certificate {
	content, err := os.ReadFile(name) //nolint:gosec // the operator's document names it
	if err != nil {
		return nil
	}
	if cert, err := x509.ParseCertificate(content); err == nil {
		return []*x509.Certificate{cert}
	}
	return pemCertificates(content)
}

func pemCertificates(content []byte) []*x509.Certificate {
	var all []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			all = append(all, cert)
		}
	}
	return all
}
