package conformance

var hostileChecks, faultChecks, cleanupChecks, driverChecks, driverListChecks []check
