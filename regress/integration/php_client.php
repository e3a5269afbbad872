<?php
// The publisher for PHP (clients/php), played by a test: reads calls, one JSON
// line each, and says what came of them.
declare(strict_types=1);

require $argv[1];

// Whatever PHP has to say against it is an error.
set_error_handler(function (int $kind, string $text, string $file, int $line) {
	if ((error_reporting() & $kind) !== 0)
		throw new ErrorException($text, 0, $kind, $file, $line);
	return false;
});

function outcome(?WsGateway\Publisher &$publisher, array $call): array
{
	$arguments = $call["args"] ?? [];
	switch ($call["call"]) {
	case "new":
		$publisher = new WsGateway\Publisher(...$arguments);
		return [];
	case "dump":
		ob_start();
		var_dump($publisher);
		print_r($publisher);
		return ["text" => ob_get_clean()];
	case "bad":	// what no JSON line can bring
		$arguments = ["21", "e", ["utf8" => "\xff", "inf" => INF,
		    "resource" => STDIN][$call["kind"]]];
		$result = $publisher->publish(...$arguments);
		break;
	case "child":	// the connection is its parent's
		$pid = pcntl_fork();
		if ($pid === 0) {
			$publisher->publish(...$arguments);
			exit(0);
		}
		pcntl_waitpid($pid, $status);
		if ($status !== 0)
			throw new RuntimeException("the child failed");
		return [];
	default:
		$result = $publisher->{$call["call"]}(...$arguments);
	}
	return $result === null ? [] : ["delivered" => $result->delivered,
	    "queued" => $result->queued];
}

$publisher = null;
while (($line = fgets(STDIN)) !== false) {
	try {
		$said = outcome($publisher, json_decode($line, true, 512,
		    JSON_THROW_ON_ERROR));
	} catch (Throwable $e) {
		$said = ["error" => get_class($e), "text" => $e->getMessage(),
		    "trace" => $e->getTraceAsString(),
		    "ours" => $e instanceof WsGateway\GatewayException];
		if ($e instanceof WsGateway\ResponseException)
			$said += ["status" => $e->getStatus(),
			    "retry" => $e->getRetryAfter()];
	}
	echo json_encode((object)$said), "\n";
	flush();
}
