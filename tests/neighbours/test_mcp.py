"""Tools of a real MCP server in a run whose answers are kept in a file."""

from __future__ import annotations

from support.openai_server import Request, chat_format, dspy_answer
from support.suite import Suite

OURS = ("-ppitcheval", "-ptimeout")

SERVER = """
import pathlib
import time

try:
    from mcp.server import MCPServer
except ImportError:  # before version 2
    from mcp.server.fastmcp import FastMCP as MCPServer

server = MCPServer("clocks")


@server.tool()
def clock(zone: str) -> str:
    \"\"\"What time it is.\"\"\"
    with pathlib.Path("runs").open("a") as file:
        print(zone, file=file)
    return f"{zone} {time.time_ns()}"


server.run("stdio")
"""

AGENT = """
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


class Agent(dspy.Module):
    async def aforward(self, question):
        async with stdio_client(StdioServerParameters(command=sys.executable, args=["server.py"])) as (read, write):
            async with ClientSession(read, write) as session:
                await session.initialize()
                listed = await session.list_tools()
                tools = [dspy.Tool.from_mcp_tool(session, tool) for tool in listed.tools]
                agent = dspy.ReAct("question -> answer", tools=tools, max_iters=3)
                found = await agent.acall(question=question)
        return dspy.Prediction(answer=found.answer, trajectory=found.trajectory)


@pytest.fixture(scope="session")
def program():
    return Agent()
"""


def agent_answer(request: Request) -> str:
    if request.model == "judge" or "next_tool_name" not in request.prompt:
        return dspy_answer(request)
    if "observation_0" in request.prompt:
        return chat_format(next_thought="I know it.", next_tool_name="finish", next_tool_args="{}")
    return chat_format(next_thought="I look.", next_tool_name="clock", next_tool_args='{"zone": "utc"}')


def test_tools_of_an_mcp_server_run_in_no_replay(suite: Suite) -> None:
    suite.write("server.py", SERVER)
    suite.add("conftest.py", AGENT)
    suite.server.answer = agent_answer
    first = suite.run(*OURS, "--eval-record=answers", subprocess=True)
    first.result.assert_outcomes(passed=3)
    runs = (suite.path / "runs").read_text(encoding="utf-8")
    assert runs == "utc\n" * 3
    assert all("utc 1" in str(test["prediction"]) for test in first.tests)
    again = suite.run(*OURS, "--eval-replay=answers", subprocess=True)
    assert (again.requests, (suite.path / "runs").read_text(encoding="utf-8")) == ([], runs)
    assert [test["prediction"] for test in again.tests] == [test["prediction"] for test in first.tests]
